"""What a simulated model says when nobody scripted it, and how tokens are counted.

Everything follows from the seed, the instance's name and the prompt, so the same run gives the same answers.
"""

from dataclasses import replace
from hashlib import blake2b
from math import hypot
from random import Random
from struct import pack, unpack

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


_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
    "gemini-embedding-001": 3072,
    "gemini-embedding-2": 3072,
    "mistral-embed": 1024,
    "embed-v4.0": 1536,
    "intfloat/multilingual-e5-large-instruct": 1024,
    "pplx-embed-v1-0.6b": 1024,
    "pplx-embed-v1-4b": 2560,
    "nomic-embed-text": 768,
    "text-embedding-nomic-embed-text-v1.5": 768,
}
_UNKNOWN_MODEL = 16


def vectors(call: Call) -> list[list[float]]:
    """Return one vector of length 1 per input text, which model and text decide; fewer dimensions are the first ones.

    So do the models that are trained for it: cut off, and brought to length 1 again.
    """
    size = call.dimensions or _DIMENSIONS.get(call.model, _UNKNOWN_MODEL)
    return [_vector(call.model, text, size) for text in call.inputs]


def _vector(model: str, text: str, size: int) -> list[float]:
    seed = blake2b(f"{model}/{text}".encode(errors="surrogatepass"), digest_size=16).digest()
    numbers = unpack(f"<{size}h", Random(seed).randbytes(2 * size))
    length = hypot(*numbers)
    # As 32-bit floats, which survive the trip through base64 unchanged.
    return list(unpack(f"<{size}f", pack(f"<{size}f", *(number / length for number in numbers))))
