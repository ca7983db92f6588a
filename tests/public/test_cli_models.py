"""`flyllm models`: what the keys of a configuration can use."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyllm.cli import main
from flyllm.cli.simulate import toml_for
from flyllm.testing import ProviderSimulator
from tests.public.processes import CANARY, COMMAND, HANG, run

pytestmark = pytest.mark.timeout(2 * HANG)

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as simulator:
        yield simulator


@pytest.fixture
def config(simulator: ProviderSimulator, tmp_path: Path) -> str:
    path = tmp_path / "flyllm.toml"
    urls = {name: simulator.url(name) for name in ("ollama", "lmstudio")}
    path.write_text(toml_for(urls).replace("simulated", CANARY), encoding="utf-8")
    return str(path)


def test_all_instances_are_asked(config: str) -> None:
    done = run(*COMMAND, "models", "--config", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert "llama3.2:latest" in done.stdout
    assert "qwen3-8b" in done.stdout


def test_one_instance_is_asked_by_name_or_number(simulator: ProviderSimulator, config: str, capsys: Captured) -> None:
    for given in ("lmstudio/qwen3-8b", "1"):
        assert main(["models", "--config", config, "--instance", given, "--json"]) == 0
        models = json.loads(capsys.readouterr().out)["models"]
        assert models[0]["id"] == "qwen3-8b"
        assert {model["provider"] for model in models} == {"lmstudio"}
        assert models[0]["instances"] == ["lmstudio/qwen3-8b"]
    assert simulator["ollama"].count == 0
    assert main(["models", "--config", config, "--instance", "lmstudio/qwen3-8"]) == 1
    assert "did you mean 'lmstudio/qwen3-8b'" in capsys.readouterr().err


def test_an_instance_that_cannot_tell_does_not_hide_the_others(
    simulator: ProviderSimulator, config: str, capsys: Captured
) -> None:
    simulator["lmstudio"].down()
    assert main(["models", "--config", config]) == 3
    captured = capsys.readouterr()
    assert "llama3.2" in captured.out
    assert captured.err.startswith("flyllm: lmstudio/qwen3-8b: RequestError")
    simulator["ollama"].down()
    assert main(["models", "--config", config, "--json"]) == 4
    captured = capsys.readouterr()
    assert set(json.loads(captured.out)["failures"]) == {"ollama/llama3.2", "lmstudio/qwen3-8b"}
    assert CANARY not in captured.out + captured.err
