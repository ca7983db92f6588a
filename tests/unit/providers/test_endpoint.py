"""What a user may write as an endpoint, for every provider, and where the requests then go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm.providers.endpoint import resolve
from flyllm.providers.registry import REGISTRY

SPECS = list(REGISTRY.values())
APIS = [pytest.param(spec, api, id=f"{spec.name}-{api.name}") for spec in SPECS for api in spec.apis]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_without_an_endpoint_it_is_the_public_host(spec) -> None:  # type: ignore[no-untyped-def]
    """With the default API and its version."""
    api, base = resolve(spec, None, None)
    assert (api, base) == (spec.apis[0], spec.root + spec.apis[0].version)


@pytest.mark.parametrize(
    "host", ["http://h", "http://h/", " http://h ", "h", "https://h:8443", "http://[::1]:9", "h:81"]
)
@pytest.mark.parametrize(("spec", "api"), APIS)
def test_a_bare_host_gets_the_version(spec, api, host: str) -> None:  # type: ignore[no-untyped-def]
    """With or without a scheme, a port, a slash or blanks around."""
    written = host.strip().rstrip("/")
    expected = (written if "://" in written else f"http://{written}") + api.version
    assert resolve(spec, host, api.name) == (api, expected)


@pytest.mark.parametrize("prefix", ["", "/gateway", "/a/b"])
@pytest.mark.parametrize(("spec", "api"), APIS)
def test_a_version_and_a_full_path_are_kept_as_written(spec, api, prefix: str) -> None:  # type: ignore[no-untyped-def]
    """A full path selects its API without being told, and a prefix before it stays."""
    base = f"http://h{prefix}{api.version}"
    assert resolve(spec, base, api.name)[1] == base
    if not api.path.startswith(":"):
        assert resolve(spec, f"{base}{api.path}", None) == (api, base)
        assert resolve(spec, f"{base}{api.path}/", api.name) == (api, base)


@pytest.mark.parametrize(
    ("provider", "endpoint", "api", "base"),
    [
        ("openai", "http://h/v1/chat/completions", "chat_completions", "http://h/v1"),
        ("openai", "http://h/v1/responses", "responses", "http://h/v1"),
        ("openai", "http://h/v2beta", "chat_completions", "http://h/v2beta"),
        ("lmstudio", "http://localhost:1234/v1/chat/completions", "chat_completions", "http://localhost:1234/v1"),
        ("ollama", "http://localhost:11434", "chat", "http://localhost:11434"),
        ("ollama", "http://localhost:11434/api/chat", "chat", "http://localhost:11434"),
        ("ollama", "http://localhost:11434/api", "chat", "http://localhost:11434"),
        ("ollama", "http://localhost:11434/v1/chat/completions", "chat_completions", "http://localhost:11434/v1"),
        (
            "groq",
            "https://api.groq.com/openai/v1/chat/completions",
            "chat_completions",
            "https://api.groq.com/openai/v1",
        ),
        ("groq", "http://h/v1", "chat_completions", "http://h/v1"),
        ("perplexity", "https://api.perplexity.ai", "responses", "https://api.perplexity.ai/v1"),
        ("perplexity", "https://api.perplexity.ai/v1/agent", "responses", "https://api.perplexity.ai/v1"),
        ("perplexity", "https://api.perplexity.ai/chat/completions", "chat_completions", "https://api.perplexity.ai"),
        ("google", "http://h/v1beta/models/gemini:generateContent", "generate_content", "http://h/v1beta"),
        ("google", "http://h/v1beta/models", "generate_content", "http://h/v1beta"),
        ("google", "http://h/v1beta/openai/chat/completions", "chat_completions", "http://h/v1beta/openai"),
    ],
)
def test_the_forms_that_users_write(provider: str, endpoint: str, api: str, base: str) -> None:
    """Among them all that FlyLLM for Rust took."""
    chosen, resolved = resolve(REGISTRY[provider], endpoint, None)
    assert (chosen.name, resolved) == (api, base)


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://h",
        "http://",
        "://h",
        "http://h h",
        "http://h:port",
        "http://h:99999",
        "http://u:p@h",
        "http://h?x=1",
        "h#f",
    ],
)
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    """A user, a query or a fragment would be lost or break the path."""
    with pytest.raises(ValueError, match=r"."):
        resolve(REGISTRY["openai"], endpoint, None)


def test_a_refusal_does_not_repeat_credentials() -> None:
    """The message goes into logs."""
    with pytest.raises(ValueError, match="host 'h'") as caught:
        resolve(REGISTRY["openai"], "http://user:secret@h/v1?key=k", None)
    assert "secret" not in str(caught.value)
    assert "key=k" not in str(caught.value)


def test_an_unknown_api_is_refused_with_the_valid_ones() -> None:
    """By name."""
    with pytest.raises(ValueError, match="Valid: chat_completions, responses"):
        resolve(REGISTRY["openai"], None, "completions")


@given(
    st.sampled_from(SPECS), st.text(max_size=30) | st.from_regex(r"https?://[a-z\[\]:@/?#.0-9%-]{0,20}", fullmatch=True)
)
def test_any_text_is_an_endpoint_or_a_value_error(spec, endpoint: str) -> None:  # type: ignore[no-untyped-def]
    """No other exception leaves."""
    try:
        api, base = resolve(spec, endpoint, None)
    except ValueError:
        return
    assert api in spec.apis
    assert base.startswith(("http://", "https://"))
