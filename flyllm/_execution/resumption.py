"""How a stream goes on after it broke off, for requests that want that: begun again, or from the text so far."""

from collections.abc import Callable

from flyllm._execution.assembler import Assembler
from flyllm._execution.attempt import Trial
from flyllm._execution.loop import AttemptLoop, Steps
from flyllm._execution.opening import Opened
from flyllm._scope import Scope
from flyllm.errors import InvalidOutputError, LLMError


class Resumption:
    """Opens a stream's next part. For the loop the part that broke off is one more attempt that failed."""

    def __init__(self, loop: AttemptLoop, steps: Steps, send: Callable[[Trial], Opened]) -> None:
        self._loop, self._steps, self._send = loop, steps, send
        self._scope = Scope()

    def answer_after(self, broken: Assembler, error: LLMError) -> Assembler | None:
        """Return what follows an answer that broke off with `error`, to be put together in; None where nothing can.

        Text can be gone on from. Tool calls and bare reasoning cannot: no API takes half of one. Nor what is wrong.
        """
        way, job = self._steps.job.request.on_interrupt, self._steps.job
        if way == "restart":
            return Assembler()
        if way == "raise" or isinstance(error, InvalidOutputError):
            return None
        if broken.tool_calls() or not broken.content.strip():
            return None
        # Anthropic refuses a text that ends with a space.
        job.prefix, job.route.prefilled = broken.content.rstrip(), True
        return Assembler(after=broken)

    def open(self, broken: Trial, error: LLMError) -> Opened:
        """Return the next part of an answer that broke off in an attempt, with an `error`."""
        self._steps.instance, self._steps.probing = broken.instance, broken.probing
        with self._scope:
            return self._loop.run(self._steps, self._send, error)

    def call_off(self) -> None:
        """End an opening that is under way in another thread, and all later ones."""
        self._scope.call_off()
