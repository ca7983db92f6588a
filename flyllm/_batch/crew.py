"""Who works on a batch: the seam between its engine and threads or another executor."""

from typing import Protocol

from flyllm._batch.inbox import Inbox
from flyllm._batch.item import Item


class Crew(Protocol):
    """Takes items and brings responses. All but the work and its `done.put` happens in the caller's thread."""

    done: Inbox

    def submit(self, item: Item) -> None:
        """Have `item` worked on; its response comes in `done`."""

    def drop(self) -> list[Item]:
        """Return what has not begun; it will not be."""

    def alive(self) -> bool:
        """Whether what was submitted will still come; raise if the interpreter is about to exit."""

    def call_off(self) -> None:
        """Drop what has not begun, cut what has, and wait a moment for its end."""

    def finish(self) -> None:
        """End the work; all that was submitted has come."""
