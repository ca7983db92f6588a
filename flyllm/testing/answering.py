"""From a request to an answer: routing, keys, limits, the scripted behaviour, and the wire that renders it all."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from inspect import signature
from random import Random
from typing import Any, Protocol, cast, runtime_checkable

from flyllm.testing.answers import completed, count_tokens, default_text, vectors
from flyllm.testing.behaviour import Behaviour
from flyllm.testing.faults import Fault, StreamFault
from flyllm.testing.limiter import RateLimiter
from flyllm.testing.policy import Policy
from flyllm.testing.transmission import Answer
from flyllm.testing.wires.base import (
    BadRequest,
    Call,
    ErrorKind,
    HttpReply,
    Limits,
    Operation,
    Reply,
    Wire,
)
from flyllm.testing.wires.registry import Row
from flyllm.testing.wires.sse import compact

_log = logging.getLogger("flyllm.testing")

_LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>"

_OTHER_BODIES: Mapping[Fault, tuple[str, bytes]] = {
    Fault.HTML: ("text/html; charset=utf-8", _LOGIN_PAGE),
    Fault.EMPTY: ("application/json", b""),
    Fault.NULL: ("application/json", b"null"),
    Fault.EMPTY_OBJECT: ("application/json", b"{}"),
}


@runtime_checkable
class NamesUnknownPaths(Protocol):
    """A wire whose provider answers an unknown path in words of its own."""

    def not_found(self, method: str, path: str, rng: Random) -> HttpReply:
        """Return the answer to an unknown path or method."""


@runtime_checkable
class TypesStreamsByCall(Protocol):
    """A wire whose streams have more than one content type."""

    def stream_type(self, call: Call) -> str:
        """Return the content type of the stream that answers `call`."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the connection read it; `body` is `...` where it is no JSON."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


Route = tuple[Wire, Operation | None]


def decoded(raw: bytes) -> Any:
    """Return the JSON in `raw`, None where it is empty, `...` where it is no JSON."""
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return ...


class Answerer:
    """Answers one instance's requests. Used by the server's thread only, but for `policy`, which is replaced whole."""

    def __init__(self, name: str, seed: int, row: Row, wires: tuple[Wire, ...], policy: Policy) -> None:
        self._name, self._seed, self._row, self._wires = name, seed, row, wires
        self.policy = policy
        self.limiter: RateLimiter | None = None

    def route(self, request: Request) -> Route:
        """Return the wire that knows this path and what is asked of it; None for what nobody knows."""
        known = request.body if isinstance(request.body, dict) else None
        for wire in self._wires:
            operation = wire.operation(request.method, request.path, known)
            if operation is not None:
                return wire, operation
        return self._wires[0], None

    def answer(
        self, request: Request, route: Route, take: Callable[[], Behaviour], in_flight: int, now: float
    ) -> tuple[Answer, Behaviour, float]:
        """Return the answer, the behaviour that shapes its way, and the seconds before its first byte.

        `take` gives the next scripted behaviour; requests that a real provider turns down do not use it up.
        """
        rng = Random(f"{self._seed}/{self._name}/{request.number}")
        wire, operation = route
        if operation is None:
            return _plain(wire, _not_found(wire, request, rng), None, Limits(), rng)
        refused = self._refused(wire, operation, request, rng)
        if refused is not None:
            return _plain(wire, refused, None, Limits(), rng)
        try:
            call = wire.read(operation, request.path, request.body or {})
        except BadRequest as error:
            return _plain(wire, wire.error(error.kind, error.message, rng, error.param), None, Limits(), rng)
        limited = self._limited(wire, call, in_flight, now, rng)
        if limited is not None:
            return limited
        behaviour = take()
        delay = behaviour.delay(rng)
        return self._behaved(wire, call, behaviour, rng), behaviour, delay

    # ---- turning down

    def _refused(self, wire: Wire, operation: Operation, request: Request, rng: Random) -> HttpReply | None:
        key = wire.key(request.headers)
        keys = self.policy.keys
        if (key not in keys) if keys is not None else (key is None and operation not in self._row.keyless):
            return wire.error(ErrorKind.AUTHENTICATION, None, rng)
        if request.body is ... or not isinstance(request.body, dict | None):
            return wire.error(ErrorKind.INVALID_REQUEST, "We could not parse the JSON body of your request.", rng)
        return None

    def _limited(
        self, wire: Wire, call: Call, in_flight: int, now: float, rng: Random
    ) -> tuple[Answer, Behaviour, float] | None:
        policy = self.policy
        if call.operation is Operation.MODELS:
            return None
        if policy.models is not None and call.model not in policy.models:
            return _plain(wire, wire.error(ErrorKind.MODEL_NOT_FOUND, None, rng), call, Limits(), rng)
        wait = self.limiter.admit(count_tokens(call.prompt), now) if self.limiter else 0.0
        if not wait and policy.concurrency is not None and in_flight > policy.concurrency:
            wait = 1.0
        if not wait:
            return None
        limits = self.limiter.state if self.limiter else Limits()
        reply = _error(wire, ErrorKind.RATE_LIMIT, None, wait, rng)
        return _plain(wire, reply, call, limits, rng)

    # ---- answering

    def _behaved(self, wire: Wire, call: Call, behaviour: Behaviour, rng: Random) -> Answer:
        limits = self.limiter.state if self.limiter else Limits()
        kind = behaviour.erring(rng)
        try:
            answer = (
                self._answered(wire, call, behaviour, rng)
                if kind is None
                else _from_reply(_error(wire, kind, behaviour.message, behaviour.retry_after, rng))
            )
        except BadRequest as error:
            answer = _from_reply(wire.error(error.kind, error.message, rng, error.param))
        answer = _faulty(answer, wire, behaviour, rng)
        headers = {**wire.headers(call, limits, rng), **answer.headers, **behaviour.headers}
        if behaviour.body is not None:
            answer = replace(answer, body=behaviour.body, frames=None, content_type="application/json")
        return replace(
            answer,
            headers=headers,
            status=behaviour.status or answer.status,
            content_type=behaviour.content_type or answer.content_type,
        )

    def _answered(self, wire: Wire, call: Call, behaviour: Behaviour, rng: Random) -> Answer:
        if call.operation is Operation.MODELS:
            names = self.policy.models if self.policy.models is not None else self._row.models
            return _json(wire.models(tuple(names)))
        if call.operation is Operation.EMBEDDINGS:
            return _json(wire.embeddings(call, vectors(call), rng))
        reply = self._reply(call, behaviour)
        if reply is None:
            return _from_reply(wire.error(ErrorKind.SERVER_ERROR, "the reply function raised", rng))
        if self.limiter:
            self.limiter.spend(reply.completion_tokens)
        if call.operation is not Operation.STREAM:
            return _json(wire.chat(call, reply, rng))
        return Answer(
            200,
            {},
            wire.stream_type(call) if isinstance(wire, TypesStreamsByCall) else wire.stream_content_type,
            frames=wire.stream(call, reply, rng),
            error_frame=lambda fault: _error_frame(wire, fault, rng),
        )

    def _reply(self, call: Call, behaviour: Behaviour) -> Reply | None:
        reply = behaviour.reply
        if callable(reply):
            try:
                reply = reply(call)
            except Exception:
                _log.exception("The reply function of simulated provider %r raised; answering 500", self._name)
                return None
        return completed(default_text(self._seed, self._name, call.prompt) if reply is None else reply, call)


def _plain(
    wire: Wire, reply: HttpReply, call: Call | None, limits: Limits, rng: Random
) -> tuple[Answer, Behaviour, float]:
    answer = _from_reply(reply)
    return replace(answer, headers={**wire.headers(call, limits, rng), **reply.headers}), Behaviour(), 0.0


def _not_found(wire: Wire, request: Request, rng: Random) -> HttpReply:
    if isinstance(wire, NamesUnknownPaths):
        return wire.not_found(request.method, request.path, rng)
    return wire.error(ErrorKind.MODEL_NOT_FOUND, f"Not found: {request.method} {request.path}", rng)


def _error(wire: Wire, kind: ErrorKind, message: str | None, retry_after: float | str | None, rng: Random) -> HttpReply:
    if retry_after is None:
        return wire.error(kind, message, rng)
    if isinstance(retry_after, str):
        return _with_header(wire.error(kind, message, rng), retry_after)
    # Fractions are sent as they are: the standard has whole seconds, SDKs read both.
    text = f"{retry_after:.3f}".rstrip("0").rstrip(".")
    if _tells_retry_in_body(type(wire)):
        return _with_header(cast(Any, wire).error(kind, message, rng, retry_after=retry_after), text)
    return _with_header(wire.error(kind, message, rng), text)


@cache
def _tells_retry_in_body(wire: type[Any]) -> bool:
    # Google's wire takes the seconds as well, because Google repeats them in the body.
    return "retry_after" in signature(wire.error).parameters


def _with_header(reply: HttpReply, retry_after: str) -> HttpReply:
    return replace(reply, headers={**reply.headers, "retry-after": retry_after})


def _faulty(answer: Answer, wire: Wire, behaviour: Behaviour, rng: Random) -> Answer:
    fault = behaviour.fault
    if fault is Fault.ERROR_WITH_200:
        reply = wire.error(behaviour.error or ErrorKind.SERVER_ERROR, behaviour.message, rng)
        return replace(_from_reply(reply), status=200)
    if fault is Fault.TRUNCATED_JSON:
        if answer.frames is None:
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        whole = b"".join(answer.frames)
        return replace(answer, frames=[whole[: len(whole) // 2]])
    if isinstance(fault, Fault) and fault in _OTHER_BODIES:
        content_type, body = _OTHER_BODIES[fault]
        return Answer(200, {}, content_type, body)
    return answer


def _error_frame(wire: Wire, fault: StreamFault, rng: Random) -> bytes:
    message = fault.message or "The server had an error while processing your request."
    return wire.stream_error(fault.kind, message, rng)


def _json(value: Any) -> Answer:
    return Answer(200, {}, "application/json", compact(value).encode())


def _from_reply(reply: HttpReply) -> Answer:
    return Answer(reply.status, reply.headers, reply.content_type, reply.body)
