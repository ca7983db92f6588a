"""`flyllm check` as people and pipelines use it: every fault at once, and one tiny request to each instance."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyllm.cli import main
from flyllm.testing import ErrorKind, ProviderSimulator
from tests.public.processes import CANARY, COMMAND, HANG, environment, run

pytestmark = pytest.mark.timeout(2 * HANG)

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as simulator:
        for _ in range(3):
            simulator.add("ollama")  # the SDK that is imported fastest
        yield simulator


@pytest.fixture
def config(simulator: ProviderSimulator, tmp_path: Path) -> str:
    """Two instances and one that is disabled, under one task."""
    blocks = [
        f'[[providers]]\nname = "{name}"\ntype = "ollama"\nmodel = "m"\napi_key = "${{CHECKED_KEY}}"\n'
        f'endpoint = "{simulator.url(server)}"\ntasks = ["chat"]\n{more}\n'
        for name, server, more in (
            ("first", "ollama", "rpm = 60"),
            ("second", "ollama-2", "priority = 1"),
            ("third", "ollama-3", "enabled = false"),
        )
    ]
    path = tmp_path / "checked.toml"
    head = "[settings]\nmax_retries = 5\n\n[[tasks]]\nname = 'chat'\nmax_tokens = 7\n\n"
    path.write_text(head + "\n".join(blocks), encoding="utf-8")
    return str(path)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKED_KEY", CANARY)


def test_a_valid_configuration_is_shown_and_nothing_is_sent(simulator: ProviderSimulator, config: str) -> None:
    done = run(*COMMAND, "check", "--config", config, CHECKED_KEY=CANARY)
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third = (line for line in done.stdout.splitlines() if "127.0.0.1" in line)
    assert "rpm 60" in first
    assert "priority 1" in second
    assert "disabled" in third
    assert "max_tokens = 7" in done.stdout
    assert CANARY not in done.stdout
    assert sum(instance.count for instance in simulator) == 0


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('[[providers]]\ntype = "opnai"\nmodel = "m"\ntasks = ["x"]\nkey = 1\n', encoding="utf-8")
    done = run(*COMMAND, "check", "--config", str(path), "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert not report["valid"]
    assert len(report["faults"]) == 3
    assert all(fault.splitlines()[0] in done.stderr for fault in report["faults"])
    assert "Traceback" not in done.stderr


def test_live_every_enabled_instance_answers_one_request(simulator: ProviderSimulator, config: str) -> None:
    done = run(*COMMAND, "check", "--config", config, "--live", "--json", CHECKED_KEY=CANARY)
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third = json.loads(done.stdout)["instances"]
    assert first["live"]["success"]
    assert first["live"]["usage"]["total_tokens"] > 0
    assert second["live"]["model"] == "m"
    assert "live" not in third
    assert [simulator[name].count for name in ("ollama", "ollama-2", "ollama-3")] == [1, 1, 0]


def test_live_a_failure_is_one_line_with_what_to_do_and_nothing_is_tried_twice(
    simulator: ProviderSimulator, config: str, capsys: Captured
) -> None:
    simulator["ollama"].fail(ErrorKind.AUTHENTICATION)
    simulator["ollama-2"].fail(ErrorKind.RATE_LIMIT)
    assert main(["check", "--config", config, "--live"]) == 4
    said = capsys.readouterr().out.splitlines()
    assert any(
        line.startswith("first: AuthenticationError") and "→ check the key in ${CHECKED" in line for line in said
    )
    assert any(line.startswith("second: RateLimitError") and "→" in line for line in said)
    assert CANARY not in "".join(said)
    assert [simulator[name].count for name in ("ollama", "ollama-2")] == [1, 1]


def test_live_some_answers_have_a_code_of_their_own(
    simulator: ProviderSimulator, config: str, capsys: Captured
) -> None:
    simulator["ollama"].down()
    assert main(["check", "--config", config, "--live"]) == 3
    assert "is a server running at 127.0.0.1:" in capsys.readouterr().out


def test_live_a_silent_instance_costs_the_timeout(simulator: ProviderSimulator, config: str, capsys: Captured) -> None:
    simulator["ollama"].set(latency=2 * HANG)
    assert main(["check", "--config", config, "--live", "--timeout", "0.5"]) == 3
    assert "first: DeadlineExceededError" in capsys.readouterr().out


def test_without_an_enabled_instance_live_is_a_failure(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "off.toml"
    path.write_text('[[providers]]\ntype = "ollama"\nmodel = "m"\nenabled = false\n', encoding="utf-8")
    assert main(["check", "--config", str(path), "--live"]) == 4
    assert "no instance is enabled" in capsys.readouterr().out


def test_ctrl_c_ends_it_at_once(simulator: ProviderSimulator, config: str) -> None:
    simulator["ollama"].set(latency=2 * HANG)
    command = [*COMMAND, "check", "--config", config, "--live"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment(CHECKED_KEY=CANARY)) as process:
        try:
            assert simulator["ollama"].wait_for(lambda instance: instance.count == 1, timeout=HANG)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=HANG)[1] == b""
            assert process.returncode == 130
        finally:
            process.kill()
