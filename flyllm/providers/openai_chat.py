"""Adapter for chat completions through the openai SDK: OpenAI, Together AI, LM Studio and anything of that shape."""

from flyllm.providers.chat_completions import ChatCompletions
from flyllm.providers.openai_sdk import OpenAIAdapter


class OpenAIChat(OpenAIAdapter, ChatCompletions):
    """Chat completions."""
