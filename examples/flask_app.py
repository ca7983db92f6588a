"""An answer passed on to browsers as server-sent events, with Flask. Runs on a simulated provider."""

from flask import Flask, Response, request

from flyllm import LLMError, LLMManager
from flyllm.sse import CONTENT_TYPE, HEADERS, server_sent_events
from flyllm.testing import ErrorKind, ProviderSimulator, cut


def create_app(manager: LLMManager) -> Flask:
    app = Flask(__name__)

    @app.post("/answer")
    def answer() -> Response:
        try:
            stream = manager.generate_stream(request.get_json()["prompt"], timeout=60)
        except LLMError as error:  # nothing was sent yet: the status can still say it
            return Response(type(error).__name__, status=503)
        return Response(server_sent_events(stream), content_type=CONTENT_TYPE, headers=HEADERS)

    return app


def main() -> None:
    with ProviderSimulator() as simulator:
        openai = simulator["openai"]
        openai.reply("The lamp turns,\nand nobody sleeps.")
        builder = LLMManager.builder()
        builder.add_instance("openai", "gpt-4o-mini", "simulated").custom_endpoint(simulator.url("openai"))
        with builder.build() as manager:
            client = create_app(manager).test_client()
            print(client.post("/answer", json={"prompt": "A line about a lighthouse."}).text)

            openai.enqueue(cut(after=4, how="close"))
            print(client.post("/answer", json={"prompt": "A line about a lighthouse."}).text)

            openai.fail(ErrorKind.INVALID_REQUEST)
            print(client.post("/answer", json={"prompt": "A line about a lighthouse."}).status)


if __name__ == "__main__":
    main()
