"""The answers, rendered once by the simulator's own wire: what differs between them is filled in as bytes."""

from random import Random

from flyllm.testing.transmission import Answer
from flyllm.testing.wires.base import Call, ErrorKind, HttpReply, Operation, Reply
from flyllm.testing.wires.registry import wires
from flyllm.testing.wires.sse import compact

PROVIDER = "openai"
_GAP = "@@@"


def answer_text(index: int) -> str:
    """Return the one right answer to request `index`."""
    return f"The answer to {index}."


class Answers:
    """Renders what the simulated providers say."""

    def __init__(self) -> None:
        wire, rng = wires(PROVIDER)[0], Random(0)
        call = Call(Operation.CHAT, "m", "", {})
        reply = Reply(_GAP, prompt_tokens=12, completion_tokens=8)
        self._before, self._after = compact(wire.chat(call, reply, rng)).encode().split(_GAP.encode())
        self.failed = _answer(wire.error(ErrorKind.SERVER_ERROR, None, rng))
        self.limited = _answer(wire.error(ErrorKind.RATE_LIMIT, None, rng))

    def right(self, text: str) -> Answer:
        """Return a whole answer that says `text`."""
        return Answer(200, {}, "application/json", self._before + text.encode() + self._after)


def _answer(reply: HttpReply) -> Answer:
    return Answer(reply.status, reply.headers, reply.content_type, reply.body)
