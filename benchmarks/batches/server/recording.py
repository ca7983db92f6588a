"""An answer of the simulator, byte for byte."""

import json
import urllib.request

from flyllm.testing import ProviderSimulator

ANSWER = "Paris is the capital of France. "


def recorded_answer() -> bytes:
    """Return what the simulated OpenAI answers to a chat completion, about 1,200 bytes."""
    body = json.dumps({"model": "some-model", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    headers = {"content-type": "application/json", "authorization": "Bearer k"}
    with ProviderSimulator(keep=1) as simulator:
        simulator["openai"].reply(10 * ANSWER)
        url = simulator.url("openai") + "/v1/chat/completions"
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as response:  # noqa: S310
            content: bytes = response.read()
            told = response.headers.items()
    head = "".join(f"{name}: {value}\r\n" for name, value in told if name.lower() != "connection")
    return f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + content
