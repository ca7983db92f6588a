"""A server whose stream breaks off at any byte, beside one that answers whole, and one manager over both."""

import socket
import struct
from contextlib import ExitStack
from typing import Literal, Self

from flyllm import LLMError, LLMManager, StreamInterruptedError
from tests.contract.fault_matrix.raw import RawServer, chunks, sse_reply
from tests.contract.streams.plain import Plain
from tests.contract.streams.samples import Sample

How = Literal["end", "close", "reset"]
"""The body ends properly, or the connection is closed or reset inside it."""

HOWS: tuple[How, ...] = ("end", "close", "reset")
OTHER = "Somebody else says this."


class CutServer(RawServer):
    """Answers every request with the first `cut` bytes of a stream."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self.cut, self.how = 0, "end"
        super().__init__(lambda _, connection: self._serve(connection))

    def _serve(self, connection: socket.socket) -> None:
        while self.read(connection) is not None:
            body = self._sample.body[: self.cut]
            head = f"HTTP/1.1 200 OK\r\ncontent-type: {self._sample.content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
            piece = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            connection.sendall(head.encode() + piece + (b"0\r\n\r\n" if self.how == "end" else b""))
            if self.how == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if self.how != "end":
                return


def _serve_other(server: RawServer, connection: socket.socket) -> None:
    reply = sse_reply(chunks(OTHER))
    while server.read(connection) is not None:
        connection.sendall(reply)


class Pair:
    """A manager that asks a `CutServer` first and an OpenAI that is well where that fails."""

    def __init__(self, sample: Sample) -> None:
        self.plain = Plain(sample)
        self._sample, self._stack = sample, ExitStack()
        self.server = self._stack.enter_context(CutServer(sample))
        other = self._stack.enter_context(RawServer(_serve_other))
        builder = LLMManager.builder()
        builder.add_instance(sample.provider, "m", "k-1", endpoint=self.server.url, api=sample.api)
        builder.add_instance("openai", "m", "k-2", endpoint=other.url, priority=1)
        self.manager = self._stack.enter_context(builder.build())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def wrong(self, cut: int, how: How) -> str | None:
        """Return what is wrong with what a consumer sees of the stream cut there; None if nothing is."""
        self.server.cut, self.server.how = cut, how
        self.manager.enable(0)  # and forget what it did before
        text, error, instance = "", None, None
        try:
            with self.manager.generate_stream("Hi") as stream:
                for chunk in stream:
                    text += chunk.content
            instance = stream.response.instance_id if stream.response else None
        except LLMError as exc:
            error = exc
        return (said := self._judged(cut, how, text, error, instance)) and f"cut at {cut} ({how}): {said}"

    def _judged(self, cut: int, how: How, text: str, error: LLMError | None, instance: int | None) -> str | None:
        seen = self.plain.at(cut, cleanly=how == "end")
        whole = self.plain.whole.text
        if isinstance(error, StreamInterruptedError):
            if error.partial != text:
                return f"partial is {error.partial!r}, delivered was {text!r}"
            # A reset may overtake what was sent before it.
            right = whole.startswith(text) and len(text) <= len(seen.text) if how == "reset" else text == seen.text
            if not right:
                return f"delivered {text!r} of {seen.text!r}"
            if not seen.noticed:
                return "interrupted although nothing had come"
            return "came whole and is lost" if seen.terminal and how != "reset" else None
        if error is not None:
            return f"failed: {error!r}"
        if instance == 1:
            return None if text == OTHER and (how == "reset" or not seen.noticed) else f"mixed: {text!r}"
        return None if text == whole and (seen.terminal or seen.finished) else f"passed off as whole: {text!r}"
