"""Over the wire goes the settings' key to the settings' host, whatever environment variables say."""

from collections.abc import Iterator

import pytest

from tests.contract.recordings import adapter, request
from tests.contract.replay import ReplayServer, Reply, replay_server

EVIL = "sk-evil-0123456789"
ANSWER = b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"model":"m"}'
RESPONSE = b'{"status":"completed","model":"m","output":[]}'
DOORS = [("openai", "chat_completions"), ("openai", "responses"), ("groq", "chat_completions")]
KEYLESS = [("lmstudio", "chat_completions"), ("ollama", "chat_completions"), *DOORS]


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    """Where the environment wants the requests to go."""
    with replay_server() as running:
        custom = f"Authorization: Bearer {EVIL}\nauthorization: {EVIL}\nX-Team: evil"
        for prefix in ("OPENAI", "GROQ"):
            monkeypatch.setenv(f"{prefix}_API_KEY", EVIL)
            monkeypatch.setenv(f"{prefix}_BASE_URL", running.origin + "/v1")
            monkeypatch.setenv(f"{prefix}_CUSTOM_HEADERS", custom)
        monkeypatch.setenv("OPENAI_ORG_ID", "org-evil")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-evil")
        monkeypatch.setenv("OPENAI_ADMIN_KEY", EVIL)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, running.origin)
            monkeypatch.setenv(name.lower(), running.origin)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield running


@pytest.mark.parametrize(("provider", "api"), DOORS)
def test_the_settings_key_goes_to_the_settings_host(
    server: ReplayServer, elsewhere: ReplayServer, provider: str, api: str
) -> None:
    """One Authorization header with our key, no organization or project, no proxy, no other host."""
    server.play(Reply(body=RESPONSE if api == "responses" else ANSWER))
    made = adapter(provider, server.origin + "/v1", api=api, key="k-ours-0123456789")
    made.generate(request())
    made.close()
    (seen,) = server.seen
    assert elsewhere.seen == []
    assert seen.all("authorization") == ["Bearer k-ours-0123456789"]
    assert not any("evil" in value for _, value in seen.headers)


@pytest.mark.parametrize(("provider", "api"), KEYLESS)
def test_an_empty_key_sends_no_key_at_all(
    server: ReplayServer, elsewhere: ReplayServer, provider: str, api: str
) -> None:
    """Local servers get no Authorization header, and above all not the key of another provider."""
    server.play(Reply(body=RESPONSE if api == "responses" else ANSWER))
    made = adapter(provider, server.origin + "/v1", api=api, key="")
    made.generate(request())
    made.close()
    (seen,) = server.seen
    assert elsewhere.seen == []
    assert seen.all("authorization") == []
    assert not any("evil" in value for _, value in seen.headers)


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
@pytest.mark.parametrize("key", ["", "k-ours-0123456789"])
@pytest.mark.parametrize(("provider", "api"), DOORS)
def test_an_authorization_of_the_settings_is_the_only_one(
    server: ReplayServer, elsewhere: ReplayServer, provider: str, api: str, key: str, name: str
) -> None:
    """A gateway's own scheme takes the place of the key, however the header is spelt."""
    server.play(Reply(body=RESPONSE if api == "responses" else ANSWER))
    made = adapter(provider, server.origin, api=api, key=key, headers={name: "Basic abc"})
    made.generate(request())
    made.close()
    assert [seen.all("authorization") for seen in server.seen] == [["Basic abc"]]
    assert elsewhere.seen == []


def test_settings_headers_are_sent(server: ReplayServer, elsewhere: ReplayServer) -> None:
    """What a user sets for an instance reaches its host."""
    server.play(Reply(body=ANSWER))
    for provider in ("openai", "groq"):
        made = adapter(provider, server.origin, api="chat_completions", headers={"X-Team": "a", "User-Agent": "b"})
        made.generate(request())
        made.close()
    assert [(seen.all("x-team"), seen.all("user-agent")) for seen in server.seen] == [(["a"], ["b"])] * 2
    assert elsewhere.seen == []
