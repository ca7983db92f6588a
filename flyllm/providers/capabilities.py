"""What an API can do beside answering text: the words that a request's needs and the registry's rows are made of.

They are the ends of sentences: "no instance can ...".
"""

EMBED = "embed"
TOOLS = "call tools"
FORCED_TOOLS = "be made to call a tool"
IMAGES = "look at images"
IMAGE_URLS = "fetch images by their URL"
SCHEMAS = "answer by a JSON schema"
JSON = "answer in JSON without a schema"
