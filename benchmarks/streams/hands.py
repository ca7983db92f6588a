"""Streams read by hand: each SDK as its README shows it, with the text put together and the usage read at the end."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import anthropic
import cohere
import groq
import ollama
import openai
from google import genai
from mistralai.client import Mistral

MODEL = "some-model"
KEY = "k-0123456789"

Pieces = Iterator[tuple[str, Any]]
"""Text and usage of each event, empty where it has none."""

Hand = Callable[[str], Pieces]
"""Asks for an answer to a prompt."""


def _messages(prompt: str) -> Any:
    return [{"role": "user", "content": prompt}]


@contextmanager
def _openai(url: str) -> Iterator[Hand]:
    with openai.OpenAI(api_key=KEY, base_url=url + "/v1", max_retries=0) as client:

        def ask(prompt: str) -> Pieces:
            options = {"include_usage": True}
            create: Any = client.chat.completions.create
            for chunk in create(model=MODEL, messages=_messages(prompt), stream=True, stream_options=options):
                yield (chunk.choices[0].delta.content or "" if chunk.choices else ""), chunk.usage

        yield ask


@contextmanager
def _responses(url: str) -> Iterator[Hand]:
    with openai.OpenAI(api_key=KEY, base_url=url + "/v1", max_retries=0) as client:

        def ask(prompt: str) -> Pieces:
            for event in client.responses.create(model=MODEL, input=prompt, stream=True):
                if event.type == "response.output_text.delta":
                    yield event.delta, None
                elif event.type == "response.completed":
                    yield "", event.response.usage

        yield ask


@contextmanager
def _anthropic(url: str) -> Iterator[Hand]:
    with anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0) as client:

        def ask(prompt: str) -> Pieces:
            for event in client.messages.create(model=MODEL, max_tokens=50, messages=_messages(prompt), stream=True):
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    yield event.delta.text, None
                elif event.type == "message_delta":
                    yield "", event.usage

        yield ask


@contextmanager
def _google(url: str) -> Iterator[Hand]:
    with genai.Client(api_key=KEY, vertexai=False, http_options=genai.types.HttpOptions(base_url=url)) as client:

        def ask(prompt: str) -> Pieces:
            for chunk in client.models.generate_content_stream(model=MODEL, contents=prompt):
                yield chunk.text or "", chunk.usage_metadata

        yield ask


@contextmanager
def _mistral(url: str) -> Iterator[Hand]:
    with Mistral(api_key=KEY, server_url=url) as client:

        def ask(prompt: str) -> Pieces:
            with client.chat.stream(model=MODEL, messages=_messages(prompt)) as events:
                for event in events:
                    chunk = event.data
                    yield (chunk.choices[0].delta.content or "" if chunk.choices else ""), chunk.usage  # type: ignore[misc]

        yield ask


@contextmanager
def _cohere(url: str) -> Iterator[Hand]:
    with cohere.ClientV2(api_key=KEY, base_url=url, max_retries=0) as client:

        def ask(prompt: str) -> Pieces:
            event: Any
            for event in client.chat_stream(model=MODEL, messages=_messages(prompt)):
                if event.type == "content-delta":
                    yield event.delta.message.content.text, None
                elif event.type == "message-end":
                    yield "", event.delta.usage

        yield ask


@contextmanager
def _groq(url: str) -> Iterator[Hand]:
    with groq.Groq(api_key=KEY, base_url=url, max_retries=0) as client:

        def ask(prompt: str) -> Pieces:
            extra = {"stream_options": {"include_usage": True}}
            create: Any = client.chat.completions.create
            for chunk in create(model=MODEL, messages=_messages(prompt), stream=True, extra_body=extra):
                yield (chunk.choices[0].delta.content or "" if chunk.choices else ""), getattr(chunk, "usage", None)

        yield ask


@contextmanager
def _ollama(url: str) -> Iterator[Hand]:
    with ollama.Client(host=url) as client:

        def ask(prompt: str) -> Pieces:
            for part in client.chat(model=MODEL, messages=_messages(prompt), stream=True):
                yield part.message.content or "", (part.prompt_eval_count, part.eval_count) if part.done else None

        yield ask


HANDS: Mapping[str, Callable[[str], AbstractContextManager[Hand]]] = {
    "openai": _openai,
    "openai/responses": _responses,
    "anthropic": _anthropic,
    "google": _google,
    "mistral": _mistral,
    "cohere": _cohere,
    "groq": _groq,
    "togetherai": _openai,
    "perplexity": _responses,
    "ollama": _ollama,
    "lmstudio": _openai,
}
"""By what is streamed from: a provider, or one of its APIs. The three without an SDK here go through openai's, as in
flyllm, and as their own documentation shows."""
