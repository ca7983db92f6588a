"""The official SDKs of the five native wires, reduced to what the simulator's tests ask of all of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol

import anthropic
import cohere
import httpx
import ollama
from google import genai
from google.genai import errors as google_errors
from mistralai.client import Mistral
from mistralai.client import errors as mistral_errors

MODEL = "some-model"
KEY = "k-0123456789"
MESSAGES: Any = [{"role": "user", "content": "Hi"}]


class Sdk(Protocol):
    """One SDK, reduced to what all of them do. Retries are off."""

    provider: ClassVar[str]

    def ask(self, url: str) -> tuple[str, list[tuple[str, Any]], str]:
        """Return text, tool calls and finish reason of a whole answer."""

    def stream(self, url: str) -> tuple[str, str]:
        """Return text and finish reason of a streamed answer."""

    def usage(self, url: str) -> tuple[int, ...]:
        """Return what the SDK shows of the tokens, as the provider counts them."""

    def models(self, url: str) -> list[str]:
        """Return the names of the models."""

    def embed(self, url: str, texts: list[str]) -> list[list[float]]:
        """Return embeddings."""

    def status(self, error: Exception) -> int:
        """Return the HTTP status an error shows."""


class AnthropicSdk:
    provider: ClassVar[str] = "anthropic"

    def _client(self, url: str) -> Any:
        return anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0)

    def _create(self, url: str, **more: Any) -> Any:
        with self._client(url) as client:
            return client.messages.create(model=MODEL, max_tokens=50, messages=MESSAGES, **more)

    def ask(self, url: str) -> tuple[str, list[tuple[str, Any]], str]:
        message = self._create(url)
        calls = [(b.name, b.input) for b in message.content if b.type == "tool_use"]
        return "".join(b.text for b in message.content if b.type == "text"), calls, message.stop_reason

    def stream(self, url: str) -> tuple[str, str]:
        asked: Any = {"model": MODEL, "max_tokens": 50, "messages": MESSAGES}
        with self._client(url) as client, client.messages.stream(**asked) as stream:
            final = stream.get_final_message()
        return "".join(b.text for b in final.content if b.type == "text"), final.stop_reason

    def usage(self, url: str) -> tuple[int, ...]:
        usage = self._create(url).usage
        thinking = usage.output_tokens_details.thinking_tokens
        return usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens, thinking

    def models(self, url: str) -> list[str]:
        with self._client(url) as client:
            return [model.id for model in client.models.list()]

    def embed(self, url: str, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError

    def status(self, error: Exception) -> int:
        assert isinstance(error, anthropic.APIStatusError)
        assert error.request_id == json.loads(error.response.text)["request_id"]
        return error.status_code


class GoogleSdk:
    provider: ClassVar[str] = "google"

    @contextmanager
    def _models(self, url: str, version: str = "v1beta") -> Iterator[Any]:
        options: Any = {"base_url": url, "api_version": version, "retry_options": {"attempts": 1}}
        client = genai.Client(api_key=KEY, vertexai=False, http_options=options)
        try:
            yield client.models
        finally:
            client.close()

    def generate(self, url: str) -> Any:
        """Return a whole response."""
        with self._models(url) as models:
            return models.generate_content(model=MODEL, contents="Hi")

    def ask(self, url: str) -> tuple[str, list[tuple[str, Any]], str]:
        answer = self.generate(url)
        parts = answer.candidates[0].content.parts or []
        calls = [(p.function_call.name, p.function_call.args) for p in parts if p.function_call]
        text = "".join(p.text for p in parts if p.text and not p.thought)
        return text, calls, answer.candidates[0].finish_reason.value

    def stream(self, url: str) -> tuple[str, str]:
        text, finish = "", ""
        with self._models(url, "v1") as models:
            for chunk in models.generate_content_stream(model=MODEL, contents="Hi"):
                candidate = chunk.candidates[0]
                text += "".join(p.text for p in candidate.content.parts or [] if p.text and not p.thought)
                finish = candidate.finish_reason.value if candidate.finish_reason else finish
        return text, finish

    def usage(self, url: str) -> tuple[int, ...]:
        usage = self.generate(url).usage_metadata
        return (
            usage.prompt_token_count,
            usage.candidates_token_count,
            usage.cached_content_token_count,
            usage.thoughts_token_count,
        )

    def models(self, url: str) -> list[str]:
        with self._models(url) as models:
            return [model.name for model in models.list()]

    def embed(self, url: str, texts: list[str]) -> list[list[float]]:
        with self._models(url) as models:
            answer = models.embed_content(model="gemini-embedding-001", contents=texts)
        return [embedding.values for embedding in answer.embeddings]

    def status(self, error: Exception) -> int:
        assert isinstance(error, google_errors.APIError)
        assert error.status
        assert error.message
        return error.code


class MistralSdk:
    provider: ClassVar[str] = "mistral"

    @contextmanager
    def _client(self, url: str) -> Iterator[Any]:
        with httpx.Client() as http:
            clients: Any = {"client": http, "async_client": _NoAsync()}
            yield Mistral(api_key=KEY, server_url=url, **clients)

    def complete(self, url: str, **more: Any) -> Any:
        """Return a whole completion."""
        with self._client(url) as client:
            return client.chat.complete(model=MODEL, messages=MESSAGES, **more)

    def ask(self, url: str) -> tuple[str, list[tuple[str, Any]], str]:
        choice = self.complete(url).choices[0]
        calls = [(c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls or []]
        return _mistral_text(choice.message.content), calls, choice.finish_reason

    def stream(self, url: str) -> tuple[str, str]:
        text, finish = "", ""
        with self._client(url) as client, client.chat.stream(model=MODEL, messages=MESSAGES) as stream:
            for event in stream:
                choice = event.data.choices[0]
                text += _mistral_text(choice.delta.content)
                finish = choice.finish_reason or finish
        return text, finish

    def usage(self, url: str) -> tuple[int, ...]:
        usage = self.complete(url).usage
        cached = usage.additional_properties["prompt_tokens_details"]["cached_tokens"]
        return usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, cached

    def models(self, url: str) -> list[str]:
        with self._client(url) as client:
            return [model.id for model in client.models.list().data]

    def embed(self, url: str, texts: list[str]) -> list[list[float]]:
        with self._client(url) as client:
            answer = client.embeddings.create(model="mistral-embed", inputs=texts)
        return [item.embedding for item in answer.data]

    def status(self, error: Exception) -> int:
        assert isinstance(error, mistral_errors.MistralError)
        return error.status_code


class _NoAsync:
    """An async client that is never used: the SDK would build a real one and close it in a finaliser."""

    async def send(self, *args: Any, **kwargs: Any) -> None: ...

    def build_request(self, *args: Any, **kwargs: Any) -> None: ...

    async def aclose(self) -> None: ...


def _mistral_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(chunk.text for chunk in content or [] if chunk.type == "text")


class CohereSdk:
    provider: ClassVar[str] = "cohere"

    @contextmanager
    def _client(self, url: str) -> Iterator[Any]:
        with httpx.Client() as http:
            yield cohere.ClientV2(api_key=KEY, base_url=url, max_retries=0, httpx_client=http)

    def _chat(self, url: str) -> Any:
        with self._client(url) as client:
            return client.chat(model=MODEL, messages=MESSAGES)

    def ask(self, url: str) -> tuple[str, list[tuple[str, Any]], str]:
        answer = self._chat(url)
        calls = [(c.function.name, json.loads(c.function.arguments)) for c in answer.message.tool_calls or []]
        text = "".join(c.text for c in answer.message.content or [] if c.type == "text")
        return text or answer.message.tool_plan or "", calls, answer.finish_reason

    def stream(self, url: str) -> tuple[str, str]:
        text, finish = "", ""
        with self._client(url) as client:
            for event in client.chat_stream(model=MODEL, messages=MESSAGES):
                if event.type == "content-delta":
                    text += event.delta.message.content.text or ""
                if event.type == "message-end":
                    finish = event.delta.finish_reason
        return text, finish

    def usage(self, url: str) -> tuple[int, ...]:
        usage = self._chat(url).usage
        return usage.tokens.input_tokens, usage.tokens.output_tokens, usage.cached_tokens

    def models(self, url: str) -> list[str]:
        with self._client(url) as client:
            return [model.name for model in client.models.list().models]

    def embed(self, url: str, texts: list[str]) -> list[list[float]]:
        asked: Any = {"input_type": "search_document", "embedding_types": ["float"]}
        with self._client(url) as client:
            answer = client.embed(model="embed-v4.0", texts=texts, **asked)
        found: list[list[float]] = answer.embeddings.float_
        return found

    def status(self, error: Exception) -> int:
        assert isinstance(error, cohere.core.ApiError)
        assert error.status_code is not None
        assert "message" in error.body if isinstance(error.body, dict) else error.body.message
        return error.status_code


class OllamaSdk:
    provider: ClassVar[str] = "ollama"

    def ask(self, url: str) -> tuple[str, list[tuple[str, Any]], str]:
        with ollama.Client(host=url) as client:
            answer: Any = client.chat(model=MODEL, messages=MESSAGES)
        calls = [(c.function.name, c.function.arguments) for c in answer.message.tool_calls or []]
        return answer.message.content, calls, answer.done_reason

    def stream(self, url: str) -> tuple[str, str]:
        text, finish = "", ""
        with ollama.Client(host=url) as client:
            lines: Any = client.chat(model=MODEL, messages=MESSAGES, stream=True)
            for line in lines:
                text += line.message.content
                finish = line.done_reason or finish
        return text, finish

    def usage(self, url: str) -> tuple[int, ...]:
        with ollama.Client(host=url) as client:
            answer: Any = client.chat(model=MODEL, messages=MESSAGES)
        return answer.prompt_eval_count, answer.eval_count

    def models(self, url: str) -> list[str]:
        with ollama.Client(host=url) as client:
            return [str(model.model) for model in client.list().models]

    def embed(self, url: str, texts: list[str]) -> list[list[float]]:
        with ollama.Client(host=url) as client:
            return [list(vector) for vector in client.embed(model="nomic-embed-text", input=texts).embeddings]

    def status(self, error: Exception) -> int:
        assert isinstance(error, ollama.ResponseError)
        return error.status_code


SDKS: tuple[Sdk, ...] = (AnthropicSdk(), GoogleSdk(), MistralSdk(), CohereSdk(), OllamaSdk())
