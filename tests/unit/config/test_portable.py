"""Rules of a configuration on its way to another process."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from flyllm.config.portable import packed, unpacked
from flyllm.config.toml_file import config_from_dict
from flyllm.errors import ConfigError

KEY = "sk-canary-0123456789abcdef"


def configured(**provider: Any) -> Any:
    return config_from_dict({"providers": [{"type": "openai", "model": "m", **provider}]})


def test_a_key_from_a_variable_is_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pickle has the variable's name; the other process has the variable."""
    monkeypatch.setenv("SOME_KEY", KEY)
    config = configured(api_key="${SOME_KEY}", params={}, rpm=10)
    sent = pickle.dumps(packed(config))
    assert KEY.encode() not in sent
    monkeypatch.setenv("SOME_KEY", "another-key")
    arrived = unpacked(pickle.loads(sent))
    assert arrived.instances[0].api_key.reveal() == "another-key"
    assert arrived.instances[0].rpm == 10


def test_a_key_from_a_file_is_read_again(tmp_path: Path) -> None:
    """Mounted secrets are there in every process of a machine."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    sent = pickle.dumps(packed(configured(api_key_file=str(file))))
    assert KEY.encode() not in sent
    assert unpacked(pickle.loads(sent)).instances[0].api_key.reveal() == KEY


def test_what_arrives_is_what_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment where it was made, nothing has changed, and it can be sent on."""
    monkeypatch.setenv("SOME_KEY", KEY)
    config = configured(api_key="${SOME_KEY}", headers={"x-team": "blue"})
    arrived = unpacked(pickle.loads(pickle.dumps(packed(config))))
    assert arrived == config
    assert packed(arrived) == packed(config)


@pytest.mark.parametrize("key", [KEY, "sk-${SOME_KEY}", "${MISSING:-sk-default-0123456789}"])
def test_a_key_that_stands_in_the_configuration_is_not_sent(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one of which a part stands there; the error says what to do and shows nothing of it."""
    monkeypatch.setenv("SOME_KEY", KEY)
    with pytest.raises(ConfigError, match=r"keys are not pickled\n.*\$\{NAME\}") as caught:
        packed(configured(api_key=key))
    assert KEY not in str(caught.value)
    assert "default-0123" not in str(caught.value)


def test_a_header_that_may_be_a_secret_is_not_sent() -> None:
    with pytest.raises(ConfigError, match="Header 'Authorization'"):
        packed(configured(endpoint="http://localhost:1", headers={"Authorization": f"Bearer {KEY}"}))


def test_all_that_cannot_be_sent_is_said_at_once() -> None:
    config = config_from_dict(
        {
            "providers": [
                {"type": "openai", "model": "m", "api_key": KEY},
                {"type": "groq", "model": "m", "api_key": KEY},
            ]
        }
    )
    with pytest.raises(ConfigError) as caught:
        packed(config)
    assert len(caught.value.faults) == 2


def test_a_process_without_the_variable_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    sent = packed(configured(api_key="${SOME_KEY}"))
    monkeypatch.delenv("SOME_KEY")
    with pytest.raises(ConfigError, match="Environment variable 'SOME_KEY' not found"):
        unpacked(sent)


def test_an_instance_without_a_key_needs_none() -> None:
    config = config_from_dict({"providers": [{"type": "ollama", "model": "m"}]})
    assert unpacked(packed(config)) == config
