"""Who a request is from one run to the next: its `custom_id`, or else what it asks and how often that came before."""

import json
import re
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flyllm.images import with_images
from flyllm.request import GenerationRequest
from flyllm.structured import read_form
from flyllm.tools.given import schemas_of

CONTENT = (
    "prompt",
    "task",
    "params",
    "messages",
    "images",
    "system",
    "provider_params",
    "tools",
    "tool_choice",
    "response_format",
)
"""The fields that are sent or decide where to. A new one may be added: what is None leaves the hash as it was."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """The identity of one request of a run.

    `content_hash` is the SHA-256 of what it asks. `occurrence` is 1 for the first request of this content in the run,
    2 for the second and so on; always 1 with a `custom_id`.
    """

    content_hash: str
    custom_id: str | None = None
    occurrence: int = 1

    @property
    def key(self) -> int:
        """64 bits that stand for it. Of a million identities two have the same with a probability of 3 in 10**8."""
        from hashlib import blake2b  # which loads OpenSSL, for what only journals need

        name = f"{self.content_hash} {self.occurrence}" if self.custom_id is None else f"id {self.custom_id}"
        return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def content_hash(request: GenerationRequest) -> str:
    """Return the SHA-256 of what `request` asks, in hexadecimal: the same in every process. Takes any values.

    Of an image in a file what is in it counts, not where it is.
    """
    with suppress(Exception):  # what is wrong with one is said when the request is sent
        request = with_images(request)
    from hashlib import sha256

    content = {name: _text(value) for name in CONTENT if (value := _asked(request, name)) is not None}
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _asked(request: GenerationRequest, name: str) -> Any:
    value = getattr(request, name)
    if name == "tools" and value:
        with suppress(Exception):  # likewise
            return schemas_of(value)
    if name == "response_format" and not isinstance(value, Mapping | None):
        with suppress(Exception):  # likewise
            form = read_form(value)
            return form.response_format if form is not None else None
    return value


def _text(value: Any) -> str:
    try:
        return json.dumps(_plain(value), sort_keys=True)
    except Exception:  # it holds itself, or a number of 5000 digits: nothing that could be sent
        return type(value).__name__


def _plain(value: Any) -> Any:
    """Return what JSON has a form for, with nothing in it that differs between two processes."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else _text(key): _plain(item) for key, item in value.items()}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    if isinstance(value, Set):
        return sorted(map(_text, value))
    return _ADDRESS.sub("", repr(value))
