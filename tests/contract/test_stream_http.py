"""What only HTTP can do to a stream, on every wire: packing, bodies of unknown length, answers that are no stream."""

import gzip
from collections.abc import Iterator
from typing import Any

import pytest

from flyllm import APIError, LLMError, LLMManager, ParseError, RequestError
from tests.contract.fault_matrix.raw import RawServer, reply
from tests.contract.streams.samples import WIRES, Sample, simulated

TEXT = "Grüße, 世界 🌍! Two words."


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    """A server that answers with what its `reply` is."""

    def script(self: Any, connection: Any) -> None:
        while self.read(connection) is not None:
            connection.sendall(self.reply)
            if b"content-length" not in self.reply:  # it is the connection's end that ends the body
                return

    with RawServer(script) as running:
        yield running


@pytest.fixture(params=WIRES, ids="-".join)
def case(request: pytest.FixtureRequest, server: Any) -> Iterator[tuple[LLMManager, Sample, Any]]:
    """A manager over one row that tries once, the row's stream, and the server."""
    provider, api = request.param
    builder = LLMManager.builder().add_instance(provider, "m", "k", api=api, endpoint=server.url)
    with builder.max_retries(0).build() as manager:
        yield manager, simulated(TEXT)[request.param], server


def ask(case: tuple[LLMManager, Sample, Any], raw: bytes) -> tuple[str, LLMError | None]:
    """Return the text that comes, and the error that ends it."""
    manager, _, server = case
    server.reply, text = raw, ""
    manager.enable(0)  # and forget what was before
    try:
        with manager.generate_stream("Hi") as stream:
            for chunk in stream:
                text += chunk.content
    except LLMError as error:
        return text, error
    assert stream.response is not None
    return text, None


def test_a_packed_stream_is_unpacked_and_a_cut_one_is_an_error(case: Any) -> None:
    """gzip has a length and a checksum of its own: without them it is not whole."""
    sample, data = case[1], gzip.compress(case[1].body)
    head = ("200 OK", "content-encoding: gzip")
    assert ask(case, reply(data, *head, content_type=sample.content_type)) == (TEXT, None)
    for cut in (20, len(data) // 2, len(data) - 100):
        text, error = ask(case, reply(data[:-cut], *head, content_type=sample.content_type))
        assert TEXT.startswith(text)
        assert error is not None or text == TEXT  # cut behind the finish reason


def test_a_body_may_end_with_its_connection_or_its_length(case: Any) -> None:
    """Old servers neither chunk nor count: then only the answer itself says whether it is whole."""
    sample = case[1]
    head = f"HTTP/1.0 200 OK\r\ncontent-type: {sample.content_type}\r\n\r\n".encode()
    assert ask(case, head + sample.body) == (TEXT, None)
    assert ask(case, reply(sample.body, content_type=sample.content_type)) == (TEXT, None)
    text, error = ask(case, head + sample.body[: len(sample.body) // 2])
    assert error is not None
    assert TEXT.startswith(text)


def test_an_error_in_place_of_a_stream_is_that_error(case: Any) -> None:
    """200, and a JSON body that says what went wrong."""
    body = b'{"error": {"message": "The wheels came off.", "type": "server_error"}}'
    _, error = ask(case, reply(body))
    assert isinstance(error, APIError)
    assert "The wheels came off." in str(error)


def test_what_is_no_stream_is_an_error(case: Any) -> None:
    """A page, nothing at all, or what stands for no JSON: never an empty answer."""
    for body, content_type in ((b"<html>", "text/html"), (b"", "application/json"), (b"null", "application/json")):
        text, error = ask(case, reply(body, content_type=content_type))
        assert text == ""
        assert isinstance(error, ParseError | RequestError)
