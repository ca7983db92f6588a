"""What each row of the registry can do, written by hand, and the words for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm.providers.capabilities import EVERYTHING, IMPLIED, LOSSES, WORDS, left, spoken
from flyllm.providers.registry import REGISTRY

CANNOT = {
    ("openai", "chat_completions"): set(),
    ("openai", "responses"): set(),
    ("anthropic", "messages"): {"embed", "answer in JSON without a schema"},
    ("google", "generate_content"): set(),
    ("google", "chat_completions"): {"fetch images by their URL"},
    ("mistral", "chat_completions"): set(),
    ("cohere", "chat"): {"answer in JSON where it may call tools"},
    ("groq", "chat_completions"): {"embed", "answer in JSON where it may call tools"},
    ("togetherai", "chat_completions"): set(),
    ("perplexity", "responses"): {"answer in JSON without a schema"},
    ("perplexity", "chat_completions"): {
        "call tools",
        "be made to call a tool",
        "answer in JSON without a schema",
        "answer in JSON where it may call tools",
    },
    ("ollama", "chat"): {"be made to call a tool", "fetch images by their URL"},
    ("ollama", "chat_completions"): {"be made to call a tool", "fetch images by their URL"},
    ("lmstudio", "chat_completions"): {"fetch images by their URL", "answer in JSON without a schema"},
}


def test_every_row_can_do_all_but_what_is_known() -> None:
    rows = {(spec.name, api.name): set(EVERYTHING - api.can) for spec in REGISTRY.values() for api in spec.apis}
    assert rows == CANNOT


def test_who_can_embed_knows_how_and_nobody_else() -> None:
    for spec in REGISTRY.values():
        assert all(("embed" in api.can) == (api.embedding is not None) for api in spec.apis)


def test_what_implies_another_never_comes_without_it() -> None:
    """Neither in a row nor in what an instance may lack."""
    sets = [api.can for spec in REGISTRY.values() for api in spec.apis]
    sets += [left(EVERYTHING, [word]) for word in LOSSES]
    assert all(IMPLIED[word] in can for can in sets for word in can & IMPLIED.keys())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"call tools"}, "call tools"),
        ({"call tools", "be made to call a tool"}, "be made to call a tool"),
        ({"look at images", "call tools"}, "call tools and look at images"),
        (
            {"answer by a JSON schema", "look at images", "fetch images by their URL", "call tools"},
            "call tools, fetch images by their URL and answer by a JSON schema",
        ),
    ],
)
def test_several_words_make_one_sentence(words: set[str], sentence: str) -> None:
    """In one order, and without what goes without saying."""
    assert spoken(words) == sentence


@given(words=st.sets(st.sampled_from(WORDS), min_size=1))
def test_any_words_can_be_said(words: set[str]) -> None:
    said = spoken(words)
    assert all(word in said for word in words - {IMPLIED[each] for each in words if each in IMPLIED})
    assert not said.startswith((" ", ","))
    assert "  " not in said


def test_a_loss_takes_what_builds_on_it() -> None:
    assert EVERYTHING - left(EVERYTHING, ["tools"]) == {
        "call tools",
        "be made to call a tool",
        "answer in JSON where it may call tools",
    }
    assert EVERYTHING - left(EVERYTHING, ["images"]) == {"look at images", "fetch images by their URL"}
    assert EVERYTHING - left(EVERYTHING, ["schemas"]) == {"answer by a JSON schema"}
    assert EVERYTHING - left(EVERYTHING, ["embeddings"]) == {"embed"}
    assert left(frozenset({"embed"}), ["images"]) == {"embed"}
    assert left(EVERYTHING, ()) == EVERYTHING
