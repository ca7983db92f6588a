"""Embeddings in OpenAI's shape: what the providers that serve it refuse, and how they pack vectors."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack
from typing import Any

from flyllm.testing.wires.base import BadRequest, Call, ErrorKind, Json, Operation
from flyllm.testing.wires.openai_checks import required
from flyllm.testing.wires.reading import token_count


@dataclass(frozen=True, slots=True)
class EmbeddingRules:
    """What one provider takes in a call: texts and their tokens together, None for any number.

    `empty` says that a text may be empty, `sizes` that the dimensions may be chosen.
    `too_many` is how it refuses more texts; "{most}" and "{given}" stand for the numbers.
    """

    texts: int | None = None
    tokens: int | None = None
    empty: bool = True
    sizes: bool = True
    too_many: str = "Invalid 'input': array too long. Expected an array with maximum length {most}, but got {given}."


# A text beyond the model's own limit is refused by its number of tokens; that is what CONTEXT_LENGTH is scripted for.
OPENAI = EmbeddingRules(2048, 300_000, empty=False)
PERPLEXITY = EmbeddingRules(512, 120_000, empty=False)
GOOGLE = EmbeddingRules(
    100, empty=False, too_many="* BatchEmbedContentsRequest.requests: at most {most} requests can be in one batch\n"
)
BARE = EmbeddingRules(sizes=False)
ANY = EmbeddingRules()


def read_embedding(body: Json, rules: EmbeddingRules) -> Call:
    """Understand a request; raise `BadRequest` where the provider answers 400."""
    model, given = required(body, "model"), body.get("input")
    if given is None or given == []:
        raise BadRequest("Missing required parameter: 'input'.", "input")
    texts = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else (None,)
    if not all(isinstance(text, str) for text in texts) or ("" in texts and not rules.empty):
        raise BadRequest("'$.input' is invalid. Please check the API reference.", "input")
    if rules.texts is not None and len(texts) > rules.texts:
        raise BadRequest(rules.too_many.format(most=rules.texts, given=len(texts)), "input")
    tokens = token_count(texts)
    if rules.tokens is not None and tokens > rules.tokens:
        raise BadRequest(f"Requested {tokens} tokens, max {rules.tokens} tokens per request", "input")
    size = dimensions(body.get("dimensions")) if rules.sizes else None
    return Call(Operation.EMBEDDINGS, model, "\n".join(texts), body, texts, size)


def dimensions(given: Any, name: str = "dimensions", kind: ErrorKind = ErrorKind.INVALID_REQUEST) -> int | None:
    """Return the number of dimensions a request asks for, None where it asks for none; raise `BadRequest` for 0."""
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise BadRequest(f"Invalid '{name}': Expected an integer >= 1, but got {given!r} instead.", name, kind)
    return given


def packed(vector: Sequence[float], encoding: Any) -> Any:
    """Return a vector as a request's `encoding_format` wants it: a list, or base64 of floats or of small integers."""
    if encoding == "base64":
        return b64encode(pack(f"<{len(vector)}f", *vector)).decode()
    if encoding == "base64_int8":
        return b64encode(pack(f"{len(vector)}b", *(round(127 * x) for x in vector))).decode()
    return list(vector)
