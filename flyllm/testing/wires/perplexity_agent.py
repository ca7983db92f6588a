"""Perplexity's Agent API: the Responses shape at `/v1/responses` and `/v1/agent`, with costs."""

from collections.abc import Iterator, Sequence
from random import Random

from flyllm.testing.wires import forms_native
from flyllm.testing.wires.base import Call, ErrorKind, HttpReply, Json, Operation, Reply
from flyllm.testing.wires.openai_responses import OpenAIResponsesWire
from flyllm.testing.wires.perplexity_sonar import PerplexityWire

# docs.perplexity.ai, Agent API, November 2026: these events, and those of its own search steps.
_DOCUMENTED = frozenset(
    {
        "response.created",
        "response.in_progress",
        "response.completed",
        "response.failed",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.delta",
        "response.output_text.done",
    }
)


class PerplexityAgentWire(OpenAIResponsesWire):
    """What differs from OpenAI: fewer kinds of events, costs in the usage, a preset may stand for the model."""

    provider = "perplexity"
    paths = ("/v1/responses", "/v1/agent")
    chat_wire = PerplexityWire
    check_form = staticmethod(forms_native.check_perplexity)
    obfuscates = False

    def read(self, operation: Operation, path: str, body: Json) -> Call:
        """Understand a request; the first of `models`, or a `preset`, names the model where `model` does not."""
        chain = body.get("models") or [body.get("model") or body.get("preset")]
        return super().read(operation, path, {**body, "model": chain[0]})

    def _events(self, envelope: Json, items: Sequence[Json], reply: Reply) -> Iterator[Json]:
        for event in super()._events(envelope, items, reply):
            if event["type"] in _DOCUMENTED:
                yield event

    def _finished(self, envelope: Json, items: Sequence[Json], reply: Reply) -> Json:
        # No "incomplete" is documented.
        return {**super()._finished(envelope, items, reply), "status": "completed", "incomplete_details": None}

    def _usage(self, reply: Reply) -> Json:
        cost = {"currency": "USD", "input_cost": 0.0, "output_cost": 0.0, "total_cost": 0.005}
        return {**super()._usage(reply), "cost": cost}

    def error(self, kind: ErrorKind, message: str | None, rng: Random, param: str | None = None) -> HttpReply:
        """Return an error answer, which looks like the host's."""
        return self._host.error(kind, message, rng, param)
