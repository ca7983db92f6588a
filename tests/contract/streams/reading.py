"""Streams read by flyllm's adapters without sockets: bytes in pieces, which end or break."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import httpx2

from flyllm.providers import google_wire
from flyllm.providers.base import DeltaStream
from flyllm.providers.bounded_http import LINE
from flyllm.providers.line import Line
from flyllm.providers.streaming import EventStream
from tests.contract.recordings import Answer, adapter, of_deltas
from tests.contract.streams.samples import Sample


class Piecewise:
    """An HTTP reply, as far as a stream's reader knows one, whose body comes in given pieces."""

    def __init__(self, content_type: str, pieces: Iterable[bytes], *, breaks: bool = False) -> None:
        self.headers = {"content-type": content_type, "transfer-encoding": "chunked"}
        self.extensions = {LINE: Line()}
        self._pieces, self._breaks = pieces, breaks

    @property
    def stream(self) -> Iterator[bytes]:
        """The pieces as the transport brings them."""
        return self.iter_bytes()

    def iter_bytes(self) -> Iterator[bytes]:
        """Yield the pieces, then end or break."""
        yield from self._pieces
        if self._breaks:
            raise httpx2.ReadError("connection reset by peer")

    def read(self) -> bytes:
        """Return the whole body."""
        return b"".join(self.iter_bytes())

    def close(self) -> None:
        """Do nothing."""


@cache
def _adapter(provider: str, api: str) -> Any:
    return adapter(provider, "http://127.0.0.1:9", api)


def opened(sample: Sample, reply: Piecewise) -> DeltaStream:
    """Return the deltas of `reply` as the adapter of the sample's row reads them."""
    made = _adapter(*sample.row)
    if hasattr(made, "open_stream"):  # the SDKs that do not decode
        stream: DeltaStream = made.open_stream(reply)
        return stream
    read = made.reader(reply) if hasattr(made, "reader") else google_wire.read_events
    return EventStream(made.settings, reply, read)


def in_pieces(sample: Sample, cuts: Sequence[int]) -> Answer:
    """Return the whole answer, received in pieces that begin at `cuts`."""
    body = sample.body
    marks = [0, *sorted({cut for cut in cuts if 0 < cut < len(body)}), len(body)]
    return of_deltas(opened(sample, Piecewise(sample.content_type, [body[a:b] for a, b in pairwise(marks)])))
