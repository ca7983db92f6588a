"""What an `LLMManager` can do with functions."""

from typing import Any

from flyllm._execution.asking import asked
from flyllm._execution.tool_rounds import ToolRounds
from flyllm.request import GenerationRequest
from flyllm.tools.run import ToolRun


class ToolMethods:
    """The part of a manager that calls functions for models."""

    def _for_tools(self) -> ToolRounds:
        raise NotImplementedError

    def run_tools(
        self, request: GenerationRequest | str, *, max_rounds: int = 10, task: str | None = None, **params: Any
    ) -> ToolRun:
        """Answer one request whose `tools` are functions: call those the model calls, and tell it what they brought.

        `run_tools("How warm is it in Oslo?", tools=[temperature])`. Ends with the first answer that calls none. Names
        of `GenerationRequest`'s fields set those, all others are parameters, as in `generate`.

        The functions are called in this thread, one after the other in the model's order, also where it called several
        at once. What a function raises the model is told by class and message, keys masked; so it is of an unknown
        function and of arguments that do not fit. KeyboardInterrupt and its like are let through.

        Each round is a request of its own: routed, retried and failed over, perhaps to another provider. `timeout` is
        the deadline over all of them and the functions, of which none is interrupted. A `tool_choice` that makes the
        model call something holds for the first round.

        Args:
            max_rounds: how often the model is asked at most.

        Raises the LLMError of the round that failed, or ToolRoundsExceededError where the model still calls functions
        in the last one; `error.run` is what had come before, None where there was no answer.
        """
        return self._for_tools().run(asked(request, task, params), max_rounds)
