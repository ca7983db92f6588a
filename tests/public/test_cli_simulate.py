"""`flyllm simulate` as scripts use it: addresses out, real HTTP in between, a clean end."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest

from flyllm.config.toml_file import config_from_toml
from flyllm.testing import PROVIDERS
from flyllm.types import ProviderType
from tests.public.processes import COMMAND, HANG, run, start

pytestmark = pytest.mark.timeout(2 * HANG)


@contextmanager
def simulating(*options: str) -> "Iterator[subprocess.Popen[str]]":
    process = start(*COMMAND, "simulate", *options)
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def stop(process: "subprocess.Popen[str]", number: signal.Signals = signal.SIGINT) -> tuple[str, str]:
    """End the process as a user does, and return what it still printed."""
    process.send_signal(number)
    return process.communicate(timeout=HANG)


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def until_ready(process: "subprocess.Popen[str]") -> str:
    """Return what it prints up to the line that says how to stop it."""
    lines = []
    while not lines or "Ctrl-C" not in lines[-1]:
        lines.append(line_of(process))
        assert lines[-1], process.communicate()
    return "".join(lines)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return min(port, 65526)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_what_it_printed_and_a_signal_ends_it_cleanly(number):
    with simulating("--json") as process:
        urls = json.loads(line_of(process))
        assert list(urls) == list(PROVIDERS)
        body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}).encode()
        headers = {"authorization": "Bearer any", "content-type": "application/json"}
        request = Request(f"{urls['openai']}/v1/chat/completions", body, headers)
        with urlopen(request, timeout=HANG) as answer:
            assert json.load(answer)["choices"][0]["message"]["content"]
        stdout, stderr = stop(process, number)
    assert process.returncode == 0
    assert stdout == ""
    assert "openai" in stderr
    assert [line.split()[1] for line in stderr.splitlines() if line.startswith("openai")] == ["1"]


def test_the_table_names_every_provider_and_the_end_counts_requests():
    with simulating() as process:
        table = until_ready(process)
        stdout, stderr = stop(process)
    assert [line.split()[0] for line in table.splitlines() if "http://127.0.0.1:" in line] == list(PROVIDERS)
    assert [line.split()[:2] for line in stdout.splitlines()[-len(PROVIDERS) :]] == [[name, "0"] for name in PROVIDERS]
    assert (process.returncode, stderr) == (0, "")


def test_the_printed_toml_is_a_configuration_of_the_simulated_providers():
    with simulating("--toml") as process:
        stdout, _ = stop_when_printed(process)
    config = config_from_toml(stdout)
    assert [instance.provider for instance in config.instances] == list(PROVIDERS)


def stop_when_printed(process: "subprocess.Popen[str]") -> tuple[str, str]:
    lines = []
    while sum("endpoint" in line for line in lines) < len(PROVIDERS) or "tasks" not in lines[-1]:
        lines.append(line_of(process))
        assert lines[-1], process.communicate()
    stdout, stderr = stop(process)
    return "".join(lines) + stdout, stderr


def test_ports_follow_the_base_and_providers_can_be_chosen():
    port = free_port()
    with simulating("--json", "--port-base", str(port), "--provider", "OpenAI") as process:
        assert json.loads(line_of(process)) == {"openai": f"http://127.0.0.1:{port}"}
        stop(process)


def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = min(server.getsockname()[1], 65526)
        done = run(*COMMAND, "simulate", "--port-base", str(port), "--provider", "openai")
    assert done.returncode == 1
    assert done.stderr == f"flyllm: Cannot listen on 127.0.0.1, port {port} for openai: Address already in use\n"


@pytest.mark.parametrize("options", [("--provider", "nobody"), ("--toml", "--json"), ("--port-base", "70000")])
def test_wrong_options_are_usage_errors(options):
    done = run(*COMMAND, "simulate", *options)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_every_provider_can_be_simulated():
    assert list(ProviderType) == list(PROVIDERS)
