"""Results as JSON Lines in flyllm's shape: every line has the same keys, null where there is nothing to say."""

from flyllm._batch.response_json import json_line
from flyllm.cli.batch.row import Row
from flyllm.cli.response_json import summary_object
from flyllm.types import LLMResponse


def write_own(row: Row, response: LLMResponse) -> bytes:
    """Return the line of a result."""
    place = {"custom_id": response.custom_id, "index": response.index, "line": row.line}
    content = response.content if response.success else None
    return json_line(place | summary_object(response) | {"content": content})
