"""Streams cut short, read by flyllm's adapters without sockets, and what must come of it at every offset."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from flyllm.errors import LLMError
from tests.contract.recordings import Answer, of_deltas
from tests.contract.streams.plain import Plain
from tests.contract.streams.reading import Piecewise, in_pieces, opened
from tests.contract.streams.samples import Sample

How = Literal["ends", "breaks"]
"""A body that ends properly before its time, or a connection that breaks."""


_HOWS: tuple[How, ...] = ("ends", "breaks")


def offsets(plain: Plain, length: int, step: int) -> list[int]:
    """Return every `step`-th offset, and those up to two bytes from the end of a frame."""
    near = {end + by for end in plain.ends for by in (-2, -1, 0, 1, 2)}
    return sorted({at for at in near | set(range(0, length + 1, step)) if 0 <= at <= length})


@dataclass
class Judge:
    """Reads one stream cut at any offset and says where what comes of it is wrong."""

    sample: Sample

    def __post_init__(self) -> None:
        self.plain = Plain(self.sample)
        self.whole = in_pieces(self.sample, ())

    def offsets(self, step: int) -> list[int]:
        """Return every `step`-th offset, and those around the ends of frames."""
        return offsets(self.plain, len(self.sample.body), step)

    def faults(self, step: int) -> Iterator[str]:
        """Yield what is wrong with the stream cut at `offsets(step)`; with steps it breaks at fewer than it ends at."""
        for number, cut in enumerate(self.offsets(step)):
            for how in _HOWS if step == 1 or number % 7 == 0 else _HOWS[:1]:
                if said := self.wrong(cut, how):
                    yield said

    def delivered(self) -> str | None:
        """Return what is wrong with what has been delivered before any byte, read in one go; None if nothing is."""
        found: list[str] = []
        text: list[str] = []

        def trickle() -> Iterator[bytes]:
            for at in range(len(self.sample.body)):
                if "".join(text) != self.plain.at(at, cleanly=False).text:
                    found.append(f"delivered before byte {at}: {''.join(text)[-40:]!r}")
                yield self.sample.body[at : at + 1]

        for delta in opened(self.sample, Piecewise(self.sample.content_type, trickle())):
            text[:] = ["".join(text) + delta.content]
        return found[0] if found else None

    def wrong(self, cut: int, how: How) -> str | None:
        """Return what is wrong with the stream cut there; None if nothing is."""
        breaks = how == "breaks"
        reply = Piecewise(self.sample.content_type, (self.sample.body[:cut],), breaks=breaks)
        text, answer, error = "", Answer(), None
        deltas = []
        try:
            for delta in opened(self.sample, reply):
                deltas.append(delta)
                text += delta.content
        except LLMError as exc:
            error = exc
        else:
            answer = of_deltas(deltas)
        seen = self.plain.at(cut, cleanly=not breaks)
        said = f"cut at {cut} of {len(self.sample.body)} ({how}): "
        if text != seen.text:
            return f"{said}delivered {text[-40:]!r}, the frames say {seen.text[-40:]!r}"
        if error is None and not (seen.finished or seen.terminal):
            return f"{said}passed off as whole"
        if error is None and not self._is_whole(answer):
            return f"{said}not the whole answer: {answer}"
        if error is not None and self._was_whole(seen.terminal, cut, how):
            return f"{said}came whole and is lost: {error}"
        return None

    def _is_whole(self, answer: Answer) -> bool:
        whole = self.whole  # its usage may be lost with what follows the finish reason
        fields = ("text", "reasoning", "tool_calls", "finish_reason")
        return all(getattr(answer, name) == getattr(whole, name) for name in fields)

    def _was_whole(self, terminal: bool, cut: int, how: How) -> bool:
        # Between finish reason and terminal event either is right: nothing is missing, nor does anybody know that.
        return terminal or (how == "ends" and cut == len(self.sample.body))
