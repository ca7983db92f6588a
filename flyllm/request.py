"""What users ask: a request, immutable and picklable, and its fluent builder."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Literal, Self

OnInterrupt = Literal["raise", "continue", "restart"]
"""What becomes of a stream that breaks off after its first content."""

FailOn = Literal["empty", "length", "content_filter", "invalid"]
"""Answers that are to count as failures: without content, cut at their limit or by a filter, not of the wanted form."""

COMMON_PARAMS = (
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "reasoning_effort",
)
"""Parameters that are translated to each provider's name. All others are passed through as they are."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What to ask.

    Args:
        prompt: the user's text; or leave it empty and give `messages`.
        task: routes the request to instances that support it; None means any instance.
        params: override the task's and the instance's parameters.
        messages: a conversation in the chat-completions shape: dicts with role system, user, assistant or tool. In a
            list of parts a `pathlib.Path` or bytes stand for an image.
        images: shown with the prompt: URLs, bytes, or files as `pathlib.Path` (a string is never read as a file).
        system: a system prompt, put before the messages.
        provider_params: extra parameters per provider name, applied only where the request lands there.
        tools: what the model may call: Python functions, dicts in the chat-completions shape, or a mixture. A function
            is told to the model by its signature and docstring (see `Tool`) and called by `run_tools` only.
        tool_choice: in the chat-completions shape: "auto", "none", "required" or a dict that names one function.
        response_format: the form of the answer, which `response.parsed` then holds: a pydantic model or anything else
            that pydantic reads from a JSON object, a JSON schema, or a dict in the chat-completions shape, e.g.
            {"type": "json_object"}. An answer that is not of it raises InvalidOutputError.
        retry_invalid: how often a model whose answer is not of that form is told what is wrong with it and asked again;
            such attempts do not count against `max_retries`.
        fail_on: answers that are to fail over like errors: "empty", "length" (cut at its limit), "content_filter" (cut
            or refused by a filter), "invalid" (not of the form wanted). The last three go to other models. Where nobody
            does better, the error's `answer` is the last one.
        timeout: seconds over waiting, retries and all attempts; None takes the task's, then the manager's.
        hedge: make a second attempt at another instance when the first one takes unusually long (longer than 95 of
            100 recent answers there, and a second); the faster one's answer counts, both may be billed.
        on_interrupt: what becomes of a stream that breaks off after its first content. "raise" raises
            StreamInterruptedError; "continue" has another instance go on from the text so far, where a provider can;
            "restart" begins again, after a chunk with `reset` that says so. Both count as attempts and end likewise in
            StreamInterruptedError when none is left.
        first_content_timeout, idle_timeout: seconds of an attempt until a stream's first content, and between two of
            its events; None takes the manager's.
        custom_id: your name for it; comes back in the response, and is its identity in a journal; never sent.
        metadata: yours; comes back in events and debug files, is never sent.
    """

    prompt: str = ""
    task: str | None = None
    params: Mapping[str, Any] | None = None
    messages: Sequence[Mapping[str, Any]] | None = None
    images: Sequence[str | bytes | PathLike[str]] | None = None
    system: str | None = None
    provider_params: Mapping[str, Mapping[str, Any]] | None = None
    tools: Sequence[Mapping[str, Any] | Callable[..., Any]] | None = None
    tool_choice: str | Mapping[str, Any] | None = None
    response_format: type[Any] | Mapping[str, Any] | None = None
    retry_invalid: int = 0
    fail_on: Collection[FailOn] = ()
    timeout: float | None = None
    hedge: bool = False
    on_interrupt: OnInterrupt = "raise"
    first_content_timeout: float | None = None
    idle_timeout: float | None = None
    custom_id: str | None = None
    metadata: Mapping[str, Any] | None = None

    @staticmethod
    def builder(prompt: str = "") -> "RequestBuilder":
        """Start a fluent request: `GenerationRequest.builder("Hi").task("chat").max_tokens(50).build()`."""
        return RequestBuilder(GenerationRequest(prompt))


EMBEDDING_PARAMS = (*COMMON_PARAMS, "dimensions")
"""Those that flyllm knows where texts are embedded: all of them are translated or dropped."""


@dataclass(frozen=True, slots=True)
class EmbeddingRequest(GenerationRequest):
    """What observers see of `LLMManager.embed`: a request without a prompt, and with `texts` to embed."""

    texts: tuple[str, ...] = ()


class RequestBuilder:
    """Fluent construction of a `GenerationRequest`; `build()` returns it."""

    def __init__(self, request: GenerationRequest) -> None:
        self._request = request

    def _set(self, **changes: Any) -> Self:
        self._request = replace(self._request, **changes)
        return self

    def task(self, name: str) -> Self:
        """Route to instances that support task `name`."""
        return self._set(task=name)

    def param(self, name: str, value: Any) -> Self:
        """Set one parameter."""
        return self._set(params={**(self._request.params or {}), name: value})

    def params(self, params: Mapping[str, Any]) -> Self:
        """Set several parameters, keeping those already set."""
        return self._set(params={**(self._request.params or {}), **params})

    def max_tokens(self, value: int) -> Self:
        """Limit the answer to `value` tokens."""
        return self.param("max_tokens", value)

    def temperature(self, value: float) -> Self:
        """Set the sampling temperature."""
        return self.param("temperature", value)

    def system(self, text: str) -> Self:
        """Set the system prompt."""
        return self._set(system=text)

    def messages(self, messages: Sequence[Mapping[str, Any]]) -> Self:
        """Set the conversation."""
        return self._set(messages=messages)

    def tools(self, *tools: Mapping[str, Any] | Callable[..., Any]) -> Self:
        """Set what the model may call: Python functions, or dicts in the chat-completions shape."""
        return self._set(tools=tools)

    def images(self, *images: str | bytes | PathLike[str]) -> Self:
        """Show images with the prompt: URLs, bytes, or files as `pathlib.Path`."""
        return self._set(images=images)

    def response_format(self, form: type[Any] | Mapping[str, Any], *, retry_invalid: int = 0) -> Self:
        """Want an answer of this form; `retry_invalid` is how often to ask again where it is of another one."""
        return self._set(response_format=form, retry_invalid=retry_invalid)

    def fail_on(self, *answers: FailOn) -> Self:
        """Count such answers as failures."""
        return self._set(fail_on=answers)

    def provider_params(self, provider: str, **params: Any) -> Self:
        """Add parameters that apply only where the request lands at `provider`."""
        known = self._request.provider_params or {}
        return self._set(provider_params={**known, provider: {**known.get(provider, {}), **params}})

    def timeout(self, seconds: float) -> Self:
        """Set the deadline over everything, in seconds."""
        return self._set(timeout=seconds)

    def hedge(self, wanted: bool = True) -> Self:
        """Make a second attempt at another instance when the first one takes unusually long."""
        return self._set(hedge=wanted)

    def on_interrupt(self, way: OnInterrupt) -> Self:
        """Say what becomes of a stream that breaks off: "raise", "continue" or "restart"."""
        return self._set(on_interrupt=way)

    def custom_id(self, name: str) -> Self:
        """Give the request a name that comes back in its response."""
        return self._set(custom_id=name)

    def metadata(self, **metadata: Any) -> Self:
        """Attach your own data to the request."""
        return self._set(metadata={**(self._request.metadata or {}), **metadata})

    def build(self) -> GenerationRequest:
        """Return the request."""
        return self._request
