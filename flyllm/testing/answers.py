"""What a simulated model says when nobody scripted it, and how tokens are counted.

Everything follows from the seed, the instance's name and the prompt, so the same run gives the same answers.
"""

from dataclasses import replace
from hashlib import blake2b
from random import Random

from flyllm.testing.wires.base import Call, Reply
from flyllm.testing.wires.openai_parts import arguments

_WORDS = """
river stone lantern harbour winter copper meadow signal orchard thunder velvet compass
granite whisper saffron island marble engine falcon mirror canvas beacon timber glacier
""".split()  # noqa: SIM905 - one word per line would be longer than the rest of the file


def count_tokens(text: str) -> int:
    """Return the simulator's token count: one per four characters begun, as the rule of thumb for English says."""
    return -(-len(text) // 4)


def default_text(seed: int, name: str, prompt: str) -> str:
    """Return the unscripted answer: the instance's name, the start of the prompt, a digest of all of it, some words."""
    digest = blake2b(f"{seed}/{name}/{prompt}".encode(errors="surrogatepass"), digest_size=8).hexdigest()
    rng = Random(digest)
    words = " ".join(rng.choices(_WORDS, k=rng.randint(6, 12)))
    return f"[{name}] You said: {prompt[:60]!r} ({digest}). {words.capitalize()}."


def completed(reply: Reply | str, call: Call) -> Reply:
    """Return `reply` with the token counts filled in that are 0."""
    if isinstance(reply, str):
        reply = Reply(reply)
    reasoning = reply.reasoning_tokens or count_tokens(reply.reasoning)
    said = count_tokens(reply.text) + sum(count_tokens(c.name + arguments(c)) for c in reply.tool_calls)
    return replace(
        reply,
        prompt_tokens=reply.prompt_tokens or max(1, count_tokens(call.prompt)),
        completion_tokens=reply.completion_tokens or max(1, said + reasoning),
        reasoning_tokens=reasoning,
    )


def vectors(call: Call, default_dimensions: int = 16) -> list[list[float]]:
    """Return one unit-range vector per input text, the same for the same text; `dimensions` of the request counts."""
    asked = call.body.get("dimensions")
    size = asked if isinstance(asked, int) and asked > 0 else default_dimensions
    return [_vector(text, size) for text in call.inputs]


def _vector(text: str, size: int) -> list[float]:
    rng = Random(text)
    # Multiples of 2**-20 survive the trip through 32-bit floats unchanged.
    return [rng.randint(-(2**20), 2**20) / 2**20 for _ in range(size)]
