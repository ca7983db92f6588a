"""The shell's completion of commands, options, tasks and files, as the shell asks for it."""

from pathlib import Path

import pytest

from tests.public.processes import COMMAND, run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_for_the_shell(shell: str) -> None:
    done = run(*COMMAND, _FLYLLM_COMPLETE=f"source_{shell}")
    assert done.returncode == 0
    assert "_FLYLLM_COMPLETE" in done.stdout


def test_commands_and_tasks_are_offered(tmp_path: Path) -> None:
    path = tmp_path / "flyllm.toml"
    path.write_text('[[tasks]]\nname = "chat"\n[[tasks]]\nname = "summary"\n', encoding="utf-8")
    assert completed("flyllm ge") == ["generate"]
    assert completed(f"flyllm generate --config {path} --task su") == ["summary"]


def completed(line: str) -> list[str]:
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    return run(*COMMAND, _FLYLLM_COMPLETE="complete_bash", **words).stdout.split()
