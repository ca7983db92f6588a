"""A plain reader of streams, to hold flyllm's against: slow, without cleverness, sharing no line with what it judges.

It knows frames (text between blank lines, or lines of JSON), and of each frame what it says and whether it ends the
answer. `Plain` is the table of a whole stream: how far the answer is after every frame.
"""

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from tests.contract.streams.said import Said, read
from tests.contract.streams.samples import Sample


@dataclass(frozen=True)
class State:
    """How far an answer is: what has been said by the frames before `end`."""

    end: int
    text: str = ""
    noticed: bool = False
    finished: bool = False
    terminal: bool = False

    def then(self, end: int, said: Said) -> "State":
        """Return the state after one more frame."""
        over = self.terminal
        return State(
            end,
            self.text if over else self.text + said.text,
            self.noticed or said.noticed,
            self.finished or said.finished,
            over or said.terminal,
        )


class Plain:
    """A stream read plainly."""

    def __init__(self, sample: Sample) -> None:
        self._api, self._body = sample.api, sample.body
        self.lines = "json" in sample.content_type
        self.states = [State(0)]
        for end, frame in self._frames():
            self.states.append(self.states[-1].then(end, self.say(frame)))
        self._ends = [state.end for state in self.states]

    @property
    def ends(self) -> list[int]:
        """The offsets at which frames end."""
        return self._ends

    @property
    def whole(self) -> State:
        """The state at the end."""
        return self.at(len(self._body), cleanly=True)

    def at(self, cut: int, *, cleanly: bool) -> State:
        """Return the state of the stream cut at an offset; at a clean end a frame counts that lacks its blank line."""
        before = self.states[bisect_right(self._ends, cut) - 1]
        rest = self._body[before.end : cut]
        if not cleanly or not rest.strip():
            return before
        try:
            return before.then(cut, self.say(rest))
        except ValueError:  # half a frame
            return before

    def say(self, frame: bytes) -> Said:
        """Return what a frame says; ValueError where its JSON is cut."""
        text = frame.decode()
        if not self.lines:
            found = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
            text = "".join(found)
        if text.startswith("[DONE]"):
            return Said(terminal=True)
        return read(self._api, json.loads(text), self.lines) if text else Said()

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        blank = b"\n" if self.lines else b"\r\n\r\n" if b"\r\n\r\n" in self._body else b"\n\n"
        at = 0
        while (end := self._body.find(blank, at)) >= 0:
            yield end + len(blank), self._body[at:end]
            at = end + len(blank)
