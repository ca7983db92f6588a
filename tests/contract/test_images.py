"""Images through all rows that take them: real SDKs over real sockets, and servers that get the very bytes."""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from flyllm import ConfigError, GenerationRequest, LLMManager, NoInstanceError
from flyllm.providers.capabilities import IMAGE_URLS, IMAGES
from flyllm.providers.registry import REGISTRY
from flyllm.testing import SimulatedProvider
from tests.contract.cases import fresh, kept
from tests.contract.specs import faults, validator
from tests.contract.test_conversations import MODELS, SCHEMAS

Row = tuple[str, str]
ROWS: list[Row] = [(s.name, api.name) for s in REGISTRY.values() for api in s.apis if IMAGES in api.can]
FETCHING = [(name, api) for name, api in ROWS if IMAGE_URLS in REGISTRY[name].api(api).can]
GIVEN_ONLY = [row for row in ROWS if row not in FETCHING]
SEEING = pytest.mark.parametrize("row", ROWS, ids="-".join)
WEB = "https://example.com/a%20b.jpg?size=1&x=%2F"


def png() -> bytes:
    """Return a black pixel."""
    chunks = {b"IHDR": pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0), b"IDAT": zlib.compress(b"\0\0"), b"IEND": b""}
    made = (pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data)) for kind, data in chunks.items())
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


PNG, JPEG = png(), b"\xff\xd8\xff\xe0" + bytes(range(256)) + b"\xff\xd9"


class Case:
    """One row: a manager with one instance, and the server it talks to."""

    def __init__(self, provider: str, api: str, server: SimulatedProvider) -> None:
        self.server = server
        builder = LLMManager.builder().add_instance(provider, MODELS.get(provider, "m"), "k-0123456", api=api)
        self.manager = builder.custom_endpoint(server.url).build()

    def sent(self, request: GenerationRequest) -> dict[str, Any]:
        """Send a request, which must be answered, and return the body that went out."""
        self.manager.generate(request)
        body: dict[str, Any] = self.server.requests[-1].body
        return body


@pytest.fixture(scope="module")
def cases() -> Iterator[Callable[[str, str], Case]]:
    with kept(Case) as case:
        yield case


@pytest.fixture
def case(cases: Callable[[str, str], Case], row: Row) -> Case:
    return fresh(cases(*row))


def seen(row: Row, body: dict[str, Any]) -> list[Any]:
    """Return texts, images and addresses of the last message, in their order, read by the API's documentation."""
    return list(_SEEN.get(row, _SEEN.get((row[1],), _chat))(body))


def _of_url(url: str) -> Any:
    head, _, data = url.partition(",")
    return (head.removeprefix("data:").removesuffix(";base64"), b64decode(data)) if head[:5] == "data:" else url


def _chat(body: dict[str, Any]) -> Iterator[Any]:
    for part in body["messages"][-1]["content"]:
        yield part["text"] if part["type"] == "text" else _of_url(part["image_url"]["url"])


def _responses(body: dict[str, Any]) -> Iterator[Any]:
    for part in body["input"][-1]["content"]:
        yield part["text"] if part["type"] == "input_text" else _of_url(part["image_url"])


def _anthropic(body: dict[str, Any]) -> Iterator[Any]:
    for block in body["messages"][-1]["content"]:
        source = block.get("source", {})
        if source.get("type") == "base64":
            yield source["media_type"], b64decode(source["data"])
        else:
            yield block.get("text") or source["url"]


def _google(body: dict[str, Any]) -> Iterator[Any]:
    for part in body["contents"][-1]["parts"]:
        if inline := part.get("inlineData"):
            yield inline["mimeType"], b64decode(inline["data"])
        else:
            yield part.get("text") or part["fileData"]["fileUri"]


def _ollama(body: dict[str, Any]) -> Iterator[Any]:
    message = body["messages"][-1]
    kinds = {PNG: "image/png", JPEG: "image/jpeg"}  # which is not told there
    yield from ((kinds[data], data) for data in map(b64decode, message["images"]))
    yield message["content"]


_SEEN: dict[tuple[str, ...], Callable[[dict[str, Any]], Iterator[Any]]] = {
    ("responses",): _responses,
    ("messages",): _anthropic,
    ("generate_content",): _google,
    ("ollama", "chat"): _ollama,
}
AS_BYTES, AS_JPEG = ("image/png", PNG), ("image/jpeg", JPEG)


def described(row: Row, body: dict[str, Any]) -> None:
    if row in SCHEMAS:
        assert faults(validator(*SCHEMAS[row]), body) == []


@SEEING
def test_bytes_and_files_arrive_byte_for_byte(case: Case, row: Row, tmp_path: Path) -> None:
    """Before the prompt, in their order, with their kinds."""
    file = tmp_path / "photo.png"  # the name does not matter
    file.write_bytes(JPEG)
    body = case.sent(GenerationRequest("What is it?", images=[PNG, file, bytearray(PNG)]))
    assert seen(row, body) == [AS_BYTES, AS_JPEG, AS_BYTES, "What is it?"]
    described(row, body)


@SEEING
def test_images_stand_in_messages_where_they_were_given(case: Case, row: Row, tmp_path: Path) -> None:
    """As a path or bytes among texts, as a data URL, bytes or a path in a part."""
    file = tmp_path / "a"
    file.write_bytes(PNG)
    url = f"data:image/jpeg;base64,{b64encode(JPEG).decode()}"
    parts = [
        file,
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
        {"type": "image_url", "image_url": url},
        {"type": "image_url", "image_url": PNG},
        "Which of them?",
    ]
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    body = case.sent(GenerationRequest("", messages=[*messages, {"role": "user", "content": parts}]))
    assert seen(row, body) == [AS_BYTES, AS_JPEG, AS_JPEG, AS_BYTES, "Which of them?"]
    described(row, body)


@SEEING
def test_images_may_be_all_that_is_said_last(case: Case, row: Row) -> None:
    """After a conversation, without a prompt."""
    messages = [{"role": "user", "content": "I will show you something."}, {"role": "assistant", "content": "Go on."}]
    body = case.sent(GenerationRequest("", messages=messages, images=[PNG]))
    assert seen(row, body)[0] == AS_BYTES
    described(row, body)


@SEEING
def test_a_stream_takes_images_too(case: Case, row: Row) -> None:
    """The same body, but for what asks for a stream."""
    with case.manager.generate_stream(GenerationRequest("What is it?", images=[PNG])) as stream:
        list(stream)
    assert seen(row, case.server.requests[-1].body) == [AS_BYTES, "What is it?"]


@pytest.mark.parametrize("row", FETCHING, ids="-".join)
def test_addresses_arrive_as_they_are(case: Case, row: Row) -> None:
    """The provider fetches them; nobody else does."""
    body = case.sent(GenerationRequest("What is it?", images=[WEB]))
    assert seen(row, body) == [WEB, "What is it?"]
    described(row, body)


@pytest.mark.parametrize("row", GIVEN_ONLY, ids="-".join)
def test_who_fetches_no_images_is_not_asked_to(case: Case, row: Row) -> None:
    """The error says what is missing, before anything is sent."""
    with pytest.raises(NoInstanceError, match="fetch images by their URL"):
        case.manager.generate(GenerationRequest("What is it?", images=[WEB]))
    assert case.server.count == 0


@SEEING
def test_a_string_that_names_a_file_is_never_read(case: Case, row: Row, tmp_path: Path) -> None:
    """Neither as an image nor as a text; nothing of the file leaves."""
    file = tmp_path / "secret.png"
    file.write_bytes(PNG + b"secret")
    for name in (str(file), file.as_uri()):
        for fields in ({"images": [name]}, {"messages": [{"role": "user", "content": [as_part(name)]}]}):
            with pytest.raises(ConfigError, match=r"pathlib\.Path"):
                case.manager.generate(GenerationRequest("What is it?", **fields))
    assert case.server.count == 0
    body = case.sent(GenerationRequest("", messages=[{"role": "user", "content": [str(file), "?"]}]))
    assert str(file) in json.dumps(body)
    assert b64encode(PNG).decode()[:20] not in json.dumps(body)


def as_part(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def test_every_row_sees() -> None:
    """None of the APIs is blind; which of their models are, they say themselves."""
    assert [(spec.name, api.name) for spec in REGISTRY.values() for api in spec.apis] == ROWS
    assert set(GIVEN_ONLY) == {
        ("google", "chat_completions"),
        ("ollama", "chat"),
        ("ollama", "chat_completions"),
        ("lmstudio", "chat_completions"),
    }
