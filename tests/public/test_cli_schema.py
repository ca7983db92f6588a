"""`flyllm schema`: what an editor is given."""

import json
from pathlib import Path

import pytest

from flyllm.cli import main
from flyllm.config.schema import json_schema
from tests.public.processes import COMMAND, run


def test_it_prints_the_schema() -> None:
    done = run(*COMMAND, "schema")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads(json.dumps(json_schema()))


def test_it_writes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "flyllm.schema.json"
    assert main(["schema", "--output", str(path)]) == 0
    assert json.loads(path.read_text(encoding="utf-8"))["properties"]
    assert main(["schema", "--output", str(tmp_path / "none" / "x.json")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
