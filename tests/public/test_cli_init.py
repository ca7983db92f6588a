"""`flyllm init` as newcomers use it: a file that loads, whatever keys they have, and no key in it."""

from pathlib import Path

import pytest

from flyllm.cli import main
from tests.public.processes import CANARY, COMMAND, run


def test_the_file_names_the_variables_that_are_set_and_passes_the_check(tmp_path: Path) -> None:
    path = tmp_path / "flyllm.toml"
    keys = {"OPENAI_API_KEY": CANARY, "MISTRAL_API_KEY": CANARY}
    written = run(*COMMAND, "init", "--path", str(path), **keys)
    assert written.returncode == 0, written.stderr
    assert "openai: " in written.stdout
    assert "flyllm check --live" in written.stdout
    text = path.read_text(encoding="utf-8")
    assert '\napi_key = "${OPENAI_API_KEY}"' in text
    assert '\n# api_key = "${GROQ_API_KEY}"' in text
    assert CANARY not in text + written.stdout + written.stderr

    checked = run(*COMMAND, "check", "--config", str(path), **keys)
    assert checked.returncode == 0, checked.stderr
    assert "api.openai.com" in checked.stdout
    assert "api.mistral.ai" in checked.stdout
    assert CANARY not in checked.stdout + checked.stderr


def test_without_a_key_it_is_for_a_local_server_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("OPENAI", "ANTHROPIC", "GOOGLE", "GEMINI", "MISTRAL", "COHERE", "CO", "GROQ", "TOGETHER"):
        monkeypatch.delenv(f"{variable}_API_KEY", raising=False)
    monkeypatch.setenv("PERPLEXITY_API_KEY", " ")
    assert main(["init"]) == 0
    said = capsys.readouterr().out
    assert "No key was found" in said
    assert "ANTHROPIC_API_KEY" in said
    assert main(["check"]) == 0
    assert "localhost:11434" in capsys.readouterr().out


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("mine", encoding="utf-8")
    assert main(["init", "--path", str(path)]) == 1
    assert "--force" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "mine"
    assert main(["init", "--path", str(path), "--force"]) == 0
    assert "[[providers]]" in path.read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--path", str(tmp_path / "none" / "flyllm.toml")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
