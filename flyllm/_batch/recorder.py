"""The inbox of a batch with a journal."""

from flyllm._batch.inbox import Inbox
from flyllm._batch.item import Done
from flyllm._batch.journal import Journal


class Recorder(Inbox):
    """Has a response on disk before it is in the inbox, and before `put` returns.

    A worker begins its next request after that: what a kill can cost is what each has in hand, however slow the batch's
    consumer is. What could not be recorded is in the inbox as well, to be kept but not to be handed over.
    """

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def put(self, done: Done) -> None:
        """Record and put what is finished. Raises what the journal raises, such as `LLMError` for a full disk."""
        item, response = done
        try:
            if item.entry is not None:
                self._journal.record([(item.entry, item.index, response)])
        except BaseException as exc:  # Ctrl-C as well, where the caller's thread does the work
            self._came.put((done, exc))
            raise
        self._came.put((done, None))
