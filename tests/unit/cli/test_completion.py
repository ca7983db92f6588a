"""What a shell is offered: what is there, and never a message."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flyllm.cli.completion import config_files, task_names


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def context(config: str | None = None) -> Any:
    return SimpleNamespace(params={"config": config})


def test_tasks_are_known_without_the_variables_of_the_file(folder: Path) -> None:
    text = '[[tasks]]\nname = "chat"\n[[tasks]]\nname = "code"\n[[providers]]\napi_key = "${NOT_SET}"\n'
    (folder / "flyllm.toml").write_text(text, encoding="utf-8")
    assert task_names(context(), "") == ["chat", "code"]
    assert task_names(context(), "co") == ["code"]


@pytest.mark.parametrize("text", ["", "[[[", "tasks = 1", "tasks = [1]", "tasks = [{}]", "tasks = [{name = 1}]"])
def test_a_file_that_is_wrong_offers_nothing(folder: Path, text: str) -> None:
    (folder / "other.toml").write_text(text, encoding="utf-8")
    assert task_names(context("other.toml"), "") == []
    assert task_names(context("none.toml"), "") == []


def test_files_are_toml_and_folders_lead_on(folder: Path) -> None:
    (folder / "conf").mkdir()
    for name in ("flyllm.toml", "notes.txt", ".hidden.toml", "conf/prod.toml"):
        (folder / name).touch()
    assert config_files("") == ["conf/", "flyllm.toml"]
    assert config_files("conf/p") == ["conf/prod.toml"]
    assert config_files(".h") == [".hidden.toml"]
    assert config_files("none/x") == []
