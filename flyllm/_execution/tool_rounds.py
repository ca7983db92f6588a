"""A conversation with functions: asked, called, told, until an answer comes that calls none."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flyllm._execution.call import Call
from flyllm._execution.job import Job, messages_of
from flyllm._execution.jobs import Jobs
from flyllm._execution.toolbox import Toolbox
from flyllm._resilience.deadline import Deadline
from flyllm._secret import Secret
from flyllm.errors import ConfigError, DeadlineExceededError, LLMError, ToolRoundsExceededError
from flyllm.request import GenerationRequest
from flyllm.tools.given import read_tools
from flyllm.tools.run import ToolRun
from flyllm.types import LLMResponse, TokenUsage, ToolCall


class ToolRounds:
    """Makes runs with one manager's means; `secrets` are kept from the models."""

    def __init__(self, jobs: Jobs, call: Call, secrets: Sequence[Secret]) -> None:
        self._jobs, self._call, self._secrets = jobs, call, secrets

    def run(self, request: GenerationRequest, max_rounds: int) -> ToolRun:
        """Return the run; errors carry it as far as it has come."""
        _check_rounds(max_rounds)
        job = self._jobs.single(request)
        tools = read_tools(request.tools)
        toolbox = Toolbox(tools, self._secrets)
        conversation = _Conversation(messages_of(job.request))
        try:
            self._to_the_end(replace(request, tools=tools), job, conversation, toolbox, max_rounds)
        except LLMError as error:
            error.run = conversation.run() if conversation.responses else None
            raise
        return conversation.run()

    def _to_the_end(
        self, request: GenerationRequest, job: Job, conversation: "_Conversation", toolbox: Toolbox, max_rounds: int
    ) -> None:
        deadline = job.deadline
        while True:
            response = self._call.run(job).raise_for_error()
            conversation.responses.append(response)
            calls = response.tool_calls
            if not calls:
                conversation.messages.append(response.message)
                return
            if len(conversation.responses) >= max_rounds:
                names = ", ".join(sorted({call.name for call in calls}))
                raise ToolRoundsExceededError(f"the model still calls functions ({names}) after {max_rounds} rounds")
            results = [_in_time(toolbox, call, deadline) for call in calls]
            conversation.messages += [_portable(response).message, *results]
            job = self._jobs.of_batch(_next(request, conversation.messages), deadline)


class _Conversation:
    """What was said, as far as it can be sent again, and the answers."""

    def __init__(self, messages: list[Mapping[str, Any]]) -> None:
        self.messages, self.responses = messages, list[LLMResponse]()

    def run(self) -> ToolRun:
        costs = [response.cost for response in self.responses]
        known = [cost for cost in costs if cost is not None]
        return ToolRun(
            response=self.responses[-1],
            messages=tuple(self.messages),
            rounds=len(self.responses),
            usage=sum((response.usage for response in self.responses), TokenUsage()),
            cost=sum(known) if len(known) == len(costs) else None,
            attempts=tuple(attempt for response in self.responses for attempt in response.attempts),
        )


def _check_rounds(given: Any) -> None:
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise ConfigError(f"max_rounds must be a whole number of at least 1, not {given!r:.40}")


def _in_time(toolbox: Toolbox, call: ToolCall, deadline: Deadline) -> dict[str, Any]:
    if deadline.passed:
        raise DeadlineExceededError(f"the deadline passed before the function {call.name!r} was called")
    return toolbox.answer(call)


def _next(request: GenerationRequest, messages: Sequence[Mapping[str, Any]]) -> GenerationRequest:
    """Return the request of the next round. What forces a call holds for the first one only, or it would never end."""
    choice = request.tool_choice
    kind = choice.get("type") if isinstance(choice, Mapping) else choice
    kept = choice if kind in ("auto", "none") else None
    return replace(request, prompt="", images=None, system=None, messages=tuple(messages), tool_choice=kept)


def _portable(response: LLMResponse) -> LLMResponse:
    # A name that a model made up may have characters that the next provider refuses in a conversation.
    calls = tuple(replace(c, name=re.sub(r"[^a-zA-Z0-9_-]", "_", c.name)[:64] or "_") for c in response.tool_calls)
    return replace(response, tool_calls=calls)
