"""What servers of the chat-completions shape want of a conversation, beyond what OpenAI wants of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChatRules:
    """The rules of one server.

    Args:
        developer: whether it knows the role; elsewhere such a message is the system's.
        plain: whether it takes content other than the user's only as one text.
        empty: whether it takes messages without content.
        alternating: whether it wants one system message, at the beginning, and then user and assistant in turn.
    """

    developer: bool = False
    plain: bool = False
    empty: bool = True
    alternating: bool = False


OPENAI = ChatRules(developer=True)

_RULES = {
    "openai": OPENAI,
    # "for 'role:system' the following must be satisfied[('messages.0.content' : value must be a string)]"
    # (livekit/agents issue 1790); its description has a list of parts there.
    "groq": ChatRules(developer=True, plain=True),
    # Its description (ChatCompletionSystemMessageParam and the others) has no parts but the user's.
    "togetherai": ChatRules(plain=True),
    # Translated to generateContent, which takes no empty text.
    "google": ChatRules(empty=False),
    # "After the (optional) system message(s), user and assistant roles should be alternating." (perplexityai/
    # api-discussion issue 265), and no empty content (InfinitiBit/graphbit pull request 163).
    "perplexity": ChatRules(empty=False, alternating=True),
    # Parts become messages of their own there (github.com/ollama/ollama, openai/openai.go).
    "ollama": ChatRules(plain=True),
    # The model's own template has the say, and many raise "Conversation roles must alternate user/assistant" or "System
    # message must be at the beginning"; roles other than [user, assistant, system, tool] are refused
    # (lmstudio-ai/lmstudio-bug-tracker issue 669), and content that is empty (microsoft/autogen issue 1521).
    "lmstudio": ChatRules(plain=True, empty=False, alternating=True),
}


def rules_of(provider: str) -> ChatRules:
    """Return the rules of `provider`; OpenAI's for a name that has none of its own."""
    return _RULES.get(provider, OPENAI)
