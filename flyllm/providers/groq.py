"""Adapter for Groq: the chat-completions wire through the groq SDK."""

from typing import Any, ClassVar

import groq
import httpx

from flyllm.providers.chat_completions import ChatCompletions
from flyllm.providers.stainless import pinned_headers


class GroqChat(ChatCompletions):
    """Chat completions at Groq."""

    httpx: ClassVar[Any] = httpx
    stream_class: ClassVar[Any] = groq.Stream[object]

    def new_client(self, http: Any) -> groq.Groq:
        """Return a client whose key and host no environment variable can change."""
        settings = self.settings
        return groq.Groq(
            api_key=settings.api_key.reveal() or "none",
            base_url=settings.base_url,
            max_retries=0,
            http_client=http,
            default_headers=pinned_headers(settings, "GROQ_CUSTOM_HEADERS", groq.omit),
        )
