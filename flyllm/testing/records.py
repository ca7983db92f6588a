"""What a simulated provider remembers of a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it came over the wire.

    Attributes:
        number: 1 for the instance's first request.
        path: with its query string. `headers`: names in lower case.
        body: the decoded JSON; None where there was none or it was no JSON (`raw` has the bytes).
        key: the API key it carried, where this provider looks for it; None without.
        time: seconds since the epoch.
        connection: 1 for the instance's first accepted connection.
        disconnected: the client closed the connection before the whole answer was sent.
    """

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    raw: bytes = field(repr=False)
    key: str | None
    time: float
    connection: int
    disconnected: bool = False
