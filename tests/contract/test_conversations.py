"""Awkward conversations over all rows: each provider takes them, by its own rules, and nothing said is lost."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flyllm import GenerationRequest, InvalidRequestError, LLMManager, NoInstanceError
from flyllm.providers.registry import REGISTRY
from flyllm.testing import SimulatedProvider
from tests.contract.cases import fresh, kept
from tests.contract.specs import faults, validator

Row = tuple[str, str]
ROWS: list[Row] = [(spec.name, api.name) for spec in REGISTRY.values() for api in spec.apis]
EVERY = pytest.mark.parametrize("row", ROWS, ids="-".join)
SONAR: Row = ("perplexity", "chat_completions")
"""It calls no tools, and wants the user to speak last."""
SCHEMAS = {
    ("openai", "chat_completions"): ("openai", "CreateChatCompletionRequest"),
    ("anthropic", "messages"): ("anthropic", "CreateMessageParams"),
    ("google", "generate_content"): ("gemini", "Req_GenerateContentRequest"),
    ("mistral", "chat_completions"): ("mistral", "ChatCompletionRequest"),
    ("groq", "chat_completions"): ("groq", "CreateChatCompletionRequest"),
    ("perplexity", "chat_completions"): ("perplexity", "ApiChatCompletionsRequest"),
    ("ollama", "chat"): ("ollama", "ChatRequest"),
}
MODELS = {"perplexity": "sonar"}  # its description names all
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def text(*words: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": word} for word in words]


def calls(*ids: str, content: Any = None) -> dict[str, Any]:
    function = {"name": "look", "arguments": "{}"}
    made = [{"id": call_id, "type": "function", "function": function} for call_id in ids]
    return said("assistant", content, tool_calls=made)


def result(call_id: str, content: Any) -> dict[str, Any]:
    return said("tool", content, tool_call_id=call_id)


U1, U2, U3, A1, S1 = said("user", "U1"), said("user", "U2"), said("user", "U3"), said("assistant", "A1"), "S1"
PLAIN: dict[str, list[dict[str, Any]]] = {
    "two users in a row": [U1, U2],
    "two assistants in a row": [U1, A1, said("assistant", "A2"), U2],
    "an empty answer in the middle": [U1, said("assistant", ""), U2],
    "an answer of nothing in the middle": [U1, said("assistant", None), U2, A1, U3],
    "empty parts in the middle": [U1, said("assistant", text("")), said("user", text("U2", "", "U3"))],
    "an empty message of the user": [U1, A1, said("user", ""), said("user", text("")), U2],
    "blanks": [said("user", " "), said("user", "U1\n"), said("assistant", " \n"), said("user", text("\t", "U2"))],
    "system in the middle": [said("system", "S1"), U1, said("system", "S2"), U2, A1, said("system", "S3"), U3],
    "system alone": [said("system", "S1")],
    "an empty system prompt": [said("system", ""), U1],
    "system last": [said("system", "S1"), U1, said("system", "S2")],
    "a developer": [said("developer", "S1"), U1, A1, said("developer", text("S2", "S3")), U2],
    "parts everywhere": [said("system", text("S1", "S2")), said("user", text("U1")), said("assistant", text("A1")), U2],
    "strings as parts": [said("user", ["U1", "U2"]), A1, said("user", ["U3"])],
    "the assistant first": [A1, U1],
    "names": [said("user", "U1", name="ann"), A1, said("user", "U2", name="bob")],
    "another provider's fields": [
        U1,
        said("assistant", "A1", refusal=None, annotations=[], tool_calls=[], extra_content={"google": {"x": 1}}),
        U2,
    ],
}
TOOLS: dict[str, list[dict[str, Any]]] = {
    "a result and the user": [U1, calls("c1"), result("c1", "T1"), U2],
    "a result and two users": [U1, calls("c1"), result("c1", "T1"), U2, U3],
    "a result, an empty answer, the user": [U1, calls("c1"), result("c1", "T1"), said("assistant", ""), U2],
    "a result and the system": [U1, calls("c1"), result("c1", "T1"), said("system", "S1"), U2],
    "parallel calls": [U1, calls("c1", "c2"), result("c2", "T2"), result("c1", "T1")],
    "parallel calls and the user": [U1, calls("c1", "c2"), result("c1", "T1"), result("c2", "T2"), U2],
    "rounds": [U1, calls("c1"), result("c1", "T1"), calls("c2"), result("c2", "T2"), A1, U2],
    "calls with text": [U1, calls("c1", content="A1"), result("c1", "T1")],
    "text, then calls": [U1, A1, calls("c1"), result("c1", "T1")],
    "empty results": [U1, calls("c1", "c2", content=""), result("c1", ""), result("c2", text("", "T1"))],
}
SHOWN: dict[str, list[dict[str, Any]]] = {
    "an image as a result": [U1, calls("c1"), result("c1", [IMAGE])],
    "images of parallel results": [
        U1,
        calls("c1", "c2"),
        result("c1", [*text("T1"), IMAGE]),
        result("c2", [IMAGE, *text("T2")]),
        U2,
    ],
}


class Case:
    """One row: a manager with one instance, and the server it talks to."""

    def __init__(self, provider: str, api: str, server: SimulatedProvider) -> None:
        self.server = server
        builder = LLMManager.builder().add_instance(provider, MODELS.get(provider, "m"), "k-0123456", api=api)
        self.manager = builder.custom_endpoint(server.url).build()

    def sent(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """Send a conversation, which must be answered, and return the body that went out."""
        content = self.manager.generate(GenerationRequest("", messages=messages)).content
        assert content.endswith("Fine.")  # Mistral repeats what it was to go on from
        body: dict[str, Any] = self.server.requests[-1].body
        return body


@pytest.fixture(scope="module")
def cases() -> Iterator[Callable[[str, str], Case]]:
    with kept(Case) as case:
        yield case


@pytest.fixture
def case(cases: Callable[[str, str], Case], row: Row) -> Case:
    made = fresh(cases(*row))
    made.server.reply("Fine.")
    return made


def words(letters: str, *spoken: Any) -> list[str]:
    """Return the words that begin with one of `letters`, in the order in which they stand in JSON."""
    return re.findall(rf"\b[{letters}]\d\b", json.dumps(spoken).replace("\\n", " ").replace("\\t", " "))


def conversation(body: dict[str, Any]) -> Any:
    return body.get("messages") or body.get("contents") or body.get("input")


def system(body: dict[str, Any]) -> Any:
    """Return what stands outside of the conversation, which is the system's, and then the conversation."""
    return [body.get(name) for name in ("system", "systemInstruction", "instructions")], conversation(body)


def nothing_is_lost(row: Row, messages: list[dict[str, Any]], body: dict[str, Any]) -> None:
    assert words("UAT", conversation(body)) == words("UAT", messages)
    assert words("S", system(body)) == words("S", messages)
    if row in SCHEMAS:
        assert faults(validator(*SCHEMAS[row]), body) == []


@EVERY
@pytest.mark.parametrize("name", PLAIN)
def test_every_provider_takes_a_conversation(case: Case, row: Row, name: str) -> None:
    """Its own rules kept, all texts in their order, the system's in theirs."""
    nothing_is_lost(row, PLAIN[name], case.sent(PLAIN[name]))


@pytest.mark.parametrize("row", [row for row in ROWS if row != SONAR], ids="-".join)
@pytest.mark.parametrize("name", TOOLS)
def test_every_provider_takes_a_conversation_with_tools(case: Case, row: Row, name: str) -> None:
    """Every call with its result, whatever comes before and after."""
    nothing_is_lost(row, TOOLS[name], case.sent(TOOLS[name]))


@pytest.mark.parametrize("row", [row for row in ROWS if row != SONAR], ids="-".join)
@pytest.mark.parametrize("name", SHOWN)
def test_images_that_tools_found_are_seen(case: Case, row: Row, name: str) -> None:
    """In the result where the provider takes them there, else shown by the user after all results."""
    body = case.sent(SHOWN[name])
    nothing_is_lost(row, SHOWN[name], body)
    assert json.dumps(body).count(PIXEL) == json.dumps(SHOWN[name]).count(PIXEL)


@pytest.mark.parametrize("row", [row for row in ROWS if row != SONAR], ids="-".join)
def test_the_assistant_may_be_last(case: Case, row: Row) -> None:
    """The answer goes on from there, or is another one: what providers make of it differs."""
    messages = [U1, said("assistant", "A1 ")]
    nothing_is_lost(row, messages, case.sent(messages))


@pytest.mark.parametrize("row", [SONAR], ids="-".join)
def test_who_cannot_take_it_says_so(case: Case, row: Row) -> None:
    """Sonar wants the user to be last, and knows no tools."""
    with pytest.raises(InvalidRequestError, match="Last message must have role `user`"):
        case.manager.generate("", messages=[U1, A1])
    with pytest.raises(NoInstanceError, match="call tools"):
        case.manager.generate("", messages=TOOLS["rounds"])
