"""`flyllm demo` as a newcomer runs it: a process of its own, judged by what it prints and how it exits."""

import io
import json
import re
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from flyllm.cli.demo.progress import batch_progress
from flyllm.cli.demo.prompts import SHIPPED, read_prompts
from flyllm.cli.simulate import toml_for
from flyllm.errors import ConfigError
from flyllm.testing import PROVIDERS, ProviderSimulator
from flyllm.types import LLMResponse
from tests.public.processes import CANARY, COMMAND, HANG, LOOPBACK_ONLY, run, start, without

pytestmark = pytest.mark.timeout(2 * HANG)


@pytest.fixture(scope="module")
def demo() -> "subprocess.CompletedProcess[str]":
    return run(*LOOPBACK_ONLY, "demo", OPENAI_API_KEY=CANARY, OPENAI_BASE_URL="http://192.0.2.1")


def section(text: str, number: int) -> str:
    found = re.search(rf"^{number}\. .*?(?=^{number + 1}\. |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, text
    return found[0]


def test_the_demo_answers_everything_without_leaving_the_machine(demo):
    assert demo.returncode == 0, demo.stderr
    assert "40 of 40 answered" in demo.stdout
    assert demo.stderr == ""


def test_the_demo_shows_all_ten_providers_at_work(demo):
    rows = {line.split()[0]: line.split() for line in section(demo.stdout, 1).splitlines() if line.split()}
    answered = {provider: int(rows[provider][2]) for provider in PROVIDERS}
    assert sum(answered.values()) == 40
    assert answered.pop("groq") == 0
    assert all(answered.values())


def test_the_demo_shows_one_provider_down_and_one_rate_limited(demo):
    assert re.search(r"^groq .*DOWN", demo.stdout, re.MULTILINE)
    assert re.search(r"^groq .* × RequestError", demo.stdout, re.MULTILINE)
    assert re.search(r"^mistral .*RATE LIMITED", demo.stdout, re.MULTILINE)
    assert re.search(r"^mistral .* × RateLimitError 429", demo.stdout, re.MULTILINE)


def test_the_demo_streams_an_answer(demo):
    streamed = " ".join(section(demo.stdout, 2).split())
    assert "flyllm hands you every piece as it arrives" in streamed
    assert "finish reason stop" in streamed


def test_the_demo_prints_the_token_usage_of_every_instance(demo):
    bill = section(demo.stdout, 3)
    assert "--- Token Usage Statistics ---" in bill
    assert [line.split()[1] for line in bill.splitlines() if line[:1].isdigit() and not line.startswith("3.")] == list(
        PROVIDERS
    )


def test_the_demo_shows_the_attempts_of_a_request_that_failed_over(demo):
    ledger = section(demo.stdout, 4)
    assert re.search(r"^1 .*(RequestError|RateLimitError)", ledger, re.MULTILINE)
    assert re.search(r"^[2-9] .*success +200 .*failover", ledger, re.MULTILINE)


def test_the_demo_prints_plain_lines_where_there_is_no_terminal(demo):
    assert "\x1b" not in demo.stdout
    assert "40/40: 40 answered, 0 failed" in demo.stdout


def test_no_key_of_the_environment_appears(demo):
    assert CANARY not in demo.stdout + demo.stderr


def test_the_shipped_prompts_are_forty_over_four_tasks():
    requests = read_prompts(SHIPPED)
    assert len({request.prompt for request in requests}) == 40
    assert Counter(request.task for request in requests) == dict.fromkeys(
        ("summary", "chat", "code", "translation"), 10
    )


def test_a_terminal_gets_a_bar_and_no_colour_means_none():
    shown = {}
    for no_color in (True, False):
        file = io.StringIO()
        console = Console(file=file, force_terminal=True, no_color=no_color, color_system="standard", width=100)
        with batch_progress(console, 2) as on_result:
            on_result(0, LLMResponse("a"))
            on_result(1, LLMResponse("b"))
        shown[no_color] = file.getvalue()
    assert "2/2" in shown[True]
    assert "2 answered, 0 failed, 0 retried" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown[True])
    assert re.search(r"\x1b\[3\dm", shown[False])
    assert not re.search(r"\x1b\[3\dm", shown[True])


@pytest.fixture
def my_toml(provider_simulator: ProviderSimulator, tmp_path: Path) -> Path:
    """A user's configuration: two providers, which are simulated in this process."""
    path = tmp_path / "my.toml"
    urls = {name: provider_simulator.url(name) for name in ("openai", "ollama")}
    path.write_text(toml_for(urls).replace("[[tasks]]", "[settings]\nmax_retries = 1\n\n[[tasks]]"), encoding="utf-8")
    return path


@pytest.fixture
def three_prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    rows = [{"prompt": "Hi", "task": "chat"}, {"prompt": "Hello"}, {"prompt": "Good day", "task": "poetry"}]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_with_a_configuration_the_demo_names_the_addresses_and_sends_only_there(
    my_toml, three_prompts, provider_simulator
):
    done = run(*LOOPBACK_ONLY, "demo", "--config", str(my_toml), "--prompts", str(three_prompts), "--yes")
    assert done.returncode == 0, done.stderr
    for instance in provider_simulator:
        assert instance.url in done.stdout
    assert "4 requests and their retries go to these addresses" in done.stdout
    assert "No instance serves poetry" in done.stdout
    assert sum(instance.count for instance in provider_simulator) == 4


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_with_a_configuration_nothing_is_sent_unless_the_user_agrees(my_toml, provider_simulator, answer):
    done = run(*COMMAND, "demo", "--config", str(my_toml), given=answer)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert sum(instance.count for instance in provider_simulator) == 0


def test_the_exit_code_tells_that_something_was_not_answered(my_toml, three_prompts, provider_simulator):
    for instance in provider_simulator:
        instance.fail(500, times=None)
    done = run(*COMMAND, "demo", "--config", str(my_toml), "--prompts", str(three_prompts), "--yes")
    assert done.returncode == 1
    assert "0 of 3 answered" in done.stdout
    assert sum(map(int, re.findall(r"^(\d) without an answer: ServerError", done.stdout, re.MULTILINE))) == 3
    assert "Traceback" not in done.stderr


def test_a_missing_configuration_is_one_line_and_debug_adds_the_traceback():
    done = run(*COMMAND, "demo", "--config", "no-such.toml")
    assert done.returncode == 1
    assert done.stderr == "flyllm: Failed to read config file 'no-such.toml': No such file or directory\n"
    assert "Traceback" in run(*COMMAND, "demo", "--config", "no-such.toml", "--debug").stderr


def test_a_prompts_file_reports_every_bad_line_at_once(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"prompt": "fine"}\nnot json\n\n{"task": "chat"}\n{"prompt": "x", "tsk": "y"}\n', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_prompts(path)
    assert [re.search(r"line \d", fault)[0] for fault in caught.value.faults] == ["line 2", "line 4", "line 5"]


def test_a_missing_sdk_names_what_to_install():
    done = run(*without("openai"), "demo")
    assert done.returncode == 2
    assert 'pip install "flyllm[openai]"' in done.stderr
    assert 'pip install "flyllm[all]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("module", "extra"), [("typer", "cli"), ("rich", "cli"), ("h11", "testing")])
def test_a_missing_extra_is_one_line_that_names_it(module, extra):
    done = run(*without(module), "demo")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].endswith(f'pip install "flyllm[{extra}]"')
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_ends_the_demo_with_130():
    process = start(*COMMAND, "demo")
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("1. A batch"):
                break
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=HANG)
    assert process.returncode == 130
    assert "Traceback" not in stderr


def test_the_version_is_printed():
    done = run(*without("h11"), "--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "flyllm")


def test_an_unknown_command_is_a_usage_error():
    done = run(*COMMAND, "dmo")
    assert done.returncode == 2
    assert "demo" in done.stderr
