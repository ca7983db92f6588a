"""Calls by hand: each SDK as its README shows it, with text and usage read from what it returns."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import anthropic
import cohere
import groq
import httpx
import httpx2
import ollama
import openai
from google import genai
from mistralai.client import Mistral

MODEL = "some-model"
KEY = "k-0123456789"

Said = tuple[str | None, Any]
"""Text and usage of an answer."""

Client = Any
"""A client of some SDK."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What a client is given where its own pool would not do: room for so many connections, and a TLS context."""

    connections: int
    verify: Any = True

    def of(self, httpx: Any) -> dict[str, Any]:
        """Return it as arguments of a client of `httpx` or httpx2."""
        limits = httpx.Limits(max_connections=self.connections, max_keepalive_connections=self.connections)
        return {"limits": limits, "verify": self.verify}


@dataclass(frozen=True, slots=True)
class Sdk:
    """How one SDK is used: `open` makes a client for a URL, with its own pool for None, and `ask` has it answer."""

    package: str
    open: Callable[[str, Pool | None], AbstractContextManager[Client]]
    ask: Callable[[Client, str], Said]


def _messages(prompt: str) -> Any:
    return [{"role": "user", "content": prompt}]


def _openai(url: str, pool: Pool | None) -> openai.OpenAI:
    http = openai.DefaultHttpxClient(**pool.of(httpx2)) if pool else None
    return openai.OpenAI(api_key=KEY, base_url=url + "/v1", max_retries=0, http_client=http)


def _ask_chat(client: Client, prompt: str) -> Said:
    answer = client.chat.completions.create(model=MODEL, messages=_messages(prompt))
    return answer.choices[0].message.content, answer.usage


def _ask_responses(client: Client, prompt: str) -> Said:
    answer = client.responses.create(model=MODEL, input=prompt)
    return answer.output_text, answer.usage


def _anthropic(url: str, pool: Pool | None) -> anthropic.Anthropic:
    http = anthropic.DefaultHttpxClient(**pool.of(httpx2)) if pool else None
    return anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0, http_client=http)


def _ask_anthropic(client: Client, prompt: str) -> Said:
    answer = client.messages.create(model=MODEL, max_tokens=1024, messages=_messages(prompt))
    return answer.content[0].text, answer.usage


def _google(url: str, pool: Pool | None) -> genai.Client:
    options = genai.types.HttpOptions(base_url=url, client_args=pool.of(httpx) if pool else None)
    return genai.Client(api_key=KEY, vertexai=False, http_options=options)


def _ask_google(client: Client, prompt: str) -> Said:
    answer = client.models.generate_content(model=MODEL, contents=prompt)
    return answer.text, answer.usage_metadata


@contextmanager
def _mistral(url: str, pool: Pool | None) -> Iterator[Client]:
    http: Any = httpx2.Client(follow_redirects=True, **pool.of(httpx2)) if pool else None
    with Mistral(api_key=KEY, server_url=url, client=http) as client:
        yield client
        if http is not None:
            http.close()


def _ask_mistral(client: Client, prompt: str) -> Said:
    answer = client.chat.complete(model=MODEL, messages=_messages(prompt))
    return answer.choices[0].message.content, answer.usage


@contextmanager
def _cohere(url: str, pool: Pool | None) -> Iterator[Client]:
    http = httpx.Client(follow_redirects=True, timeout=300.0, **pool.of(httpx)) if pool else None
    with cohere.ClientV2(api_key=KEY, base_url=url, max_retries=0, httpx_client=http) as client:
        yield client


def _ask_cohere(client: Client, prompt: str) -> Said:
    answer = client.chat(model=MODEL, messages=_messages(prompt))
    return answer.message.content[0].text, answer.usage


def _groq(url: str, pool: Pool | None) -> groq.Groq:
    http = groq.DefaultHttpxClient(**pool.of(httpx)) if pool else None
    return groq.Groq(api_key=KEY, base_url=url, max_retries=0, http_client=http)


def _ollama(url: str, pool: Pool | None) -> ollama.Client:
    return ollama.Client(host=url, **(pool.of(httpx) if pool else {}))


def _ask_ollama(client: Client, prompt: str) -> Said:
    answer = client.chat(model=MODEL, messages=_messages(prompt))
    return answer.message.content, (answer.prompt_eval_count, answer.eval_count)


SDKS: Mapping[str, Sdk] = {
    "openai": Sdk("openai", _openai, _ask_chat),
    "anthropic": Sdk("anthropic", _anthropic, _ask_anthropic),
    "google": Sdk("google-genai", _google, _ask_google),
    "mistral": Sdk("mistralai", _mistral, _ask_mistral),
    "cohere": Sdk("cohere", _cohere, _ask_cohere),
    "groq": Sdk("groq", _groq, _ask_chat),
    "togetherai": Sdk("openai", _openai, _ask_chat),
    "perplexity": Sdk("openai", _openai, _ask_responses),
    "ollama": Sdk("ollama", _ollama, _ask_ollama),
    "lmstudio": Sdk("openai", _openai, _ask_chat),
}
"""By provider. The three without an SDK of their own go through openai's, as their documentation shows; perplexity
through its responses, which is flyllm's default there as well."""
