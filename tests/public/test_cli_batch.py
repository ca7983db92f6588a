"""`flyllm batch` as scripts use it: files and pipes in, files and pipes out, and an exit code that says how it went."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyllm.cli import main
from flyllm.cli.simulate import toml_for
from flyllm.testing import Fault, ProviderSimulator, SimulatedProvider
from tests.public.processes import COMMAND, HANG, environment, run, without

pytestmark = pytest.mark.timeout(2 * HANG)

PROMPT = 20.0
"""Seconds for what should take a tenth, on a busy machine; the hung sockets would take minutes."""


@pytest.fixture
def server() -> Iterator[SimulatedProvider]:
    with ProviderSimulator() as simulator:
        yield simulator["ollama"]


@pytest.fixture(autouse=True)
def folder(server: SimulatedProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a configuration."""
    monkeypatch.chdir(tmp_path)
    text = toml_for({"ollama": server.url}).replace("[[tasks]]", "[settings]\nmax_retries = 1\n\n[[tasks]]")
    (tmp_path / "flyllm.toml").write_text(f"{text}\ninput_cost = 1.0\noutput_cost = 1.0\n", encoding="utf-8")
    return tmp_path


def lines(path: str, *values: Any) -> str:
    """Write `values` as JSON Lines; text is written as it is."""
    text = "".join(f"{value if isinstance(value, str) else json.dumps(value)}\n" for value in values)
    Path(path).write_text(text, encoding="utf-8")
    return path


def prompts(count: int, path: str = "prompts.jsonl") -> str:
    return lines(path, *({"prompt": f"prompt {n}", "custom_id": f"id {n}"} for n in range(count)))


def results(path: str = "results.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def answered(server: SimulatedProvider) -> Counter[str]:
    """How often the server sent each prompt an answer that was taken."""
    return Counter(r.body["messages"][-1]["content"] for r in server.requests if not r.disconnected)


@pytest.fixture
def start() -> Iterator[Any]:
    """Starts the command as a process in the current folder."""
    started: list[subprocess.Popen[str]] = []

    def begin(*args: str) -> "subprocess.Popen[str]":
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen([*COMMAND, "batch", *args], text=True, env=environment(), **pipes)
        started.append(process)
        return process

    yield begin
    for process in started:
        with process:
            process.kill()


def wait_for(condition: Any) -> None:
    for _ in range(int(HANG / 0.01)):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


def test_a_file_of_prompts_becomes_a_file_of_results(server, start):
    lines("prompts.jsonl", '"one"', {"prompt": "two", "custom_id": "b", "params": {"max_tokens": 7}}, "")
    options = ("--task", "chat", "--ordered", "--param", "max_tokens=50", "--no-progress")
    process = start("prompts.jsonl", "-o", "results.jsonl", *options)
    stdout, stderr = process.communicate(timeout=HANG)
    assert (process.returncode, stdout) == (0, ""), stderr
    first, second = results()
    assert (first["index"], first["custom_id"], second["index"], second["custom_id"]) == (0, None, 1, "b")
    assert "one" in first["content"]
    assert first["success"]
    assert first["cost"] > 0
    assert first["usage"]["total_tokens"] > 0
    assert (first["instance"], first["task"], first["attempts"]) == ("ollama/llama3.2", "chat", 1)
    limits = {r.body["messages"][-1]["content"]: r.body["options"]["num_predict"] for r in server.requests}
    assert limits == {"one": 50, "two": 7}
    (summary,) = stderr.splitlines()
    assert summary.startswith("flyllm: 2 answered, 0 failed, ")
    assert "tokens, cost " in summary


def test_prompts_come_in_by_a_pipe_and_results_go_out_by_one(start):
    process = start("-", "--column", "text", "--format", "csv", "--ordered")
    stdout, stderr = process.communicate('id,text\n7,"two\nlines"\n8,grün\n', timeout=HANG)
    assert process.returncode == 0, stderr
    head, first, second = csv.reader(stdout.splitlines(keepends=True))
    assert head[:4] == ["id", "text", "content", "error"]
    assert first[:2] == ["7", "two\nlines"]
    assert "two" in first[2]
    assert second[:2] == ["8", "grün"]


def test_a_reader_that_has_seen_enough_ends_it_quietly(server, start):
    server.set(latency=0.02)
    process = start(prompts(400), "--no-progress", "--max-workers", "2")
    assert json.loads(process.stdout.readline())["success"]
    process.stdout.close()
    assert process.wait(timeout=HANG) == 3
    assert process.stderr.read() == ""
    assert len(server.requests) < 400


def test_after_a_kill_only_what_is_missing_is_sent(server, start):
    """Killed twice in the middle, then resumed to its end: every request was answered, and the output is complete."""
    server.set(latency=0.02)
    command = (prompts(60), "-o", "results.jsonl", "--resume", "--max-workers", "4")
    for _ in range(2):
        process, before = start(*command), len(server.requests)
        wait_for(lambda process=process, n=before + 8: process.poll() is not None or len(server.requests) > n)
        process.kill()
        process.wait(timeout=HANG)
        assert Path("results.jsonl").read_bytes()[-1:] in (b"", b"\n")
    process = start(*command)
    _, stderr = process.communicate(timeout=HANG)
    assert process.returncode == 0, stderr
    assert "recalled" in stderr
    assert {result["custom_id"] for result in results()} == {f"id {n}" for n in range(60)}
    assert len(results()) == 60
    counts = answered(server)
    assert len(counts) == 60
    # Four were in flight at each kill: their answers came too late to be recorded.
    assert sum(counts.values()) <= 60 + 2 * 4
    assert max(counts.values()) <= 3


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(server, start, number):
    server.set(fault=Fault.SILENCE)
    for text in ("one", "two", "three"):
        server.enqueue(text)
    process = start(prompts(50), "-o", "results.jsonl", "--max-workers", "4", "--no-progress")
    wait_for(lambda: len(server.requests) == 7)
    wait_for(lambda: Path("results.jsonl").read_bytes().count(b"\n") == 3)
    began = time.monotonic()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=HANG)
    assert time.monotonic() - began < PROMPT
    assert process.returncode == 130
    told = stderr.splitlines()
    assert told[0] == "flyllm: interrupted"
    assert told[1].startswith("flyllm: 3 answered, 0 failed, ")
    assert "--resume" in told[2]
    assert len(told) == 3
    recorded = Path("results.jsonl.journal").read_text(encoding="utf-8").splitlines()[1:]
    assert {json.loads(line)["custom_id"] for line in recorded} == {result["custom_id"] for result in results()}

    server.set(fault=None)
    assert main(["batch", "prompts.jsonl", "-o", "results.jsonl", "--resume"]) == 0
    assert len(results()) == 50
    assert len(server.requests) == 7 + 47


def test_lines_that_are_no_requests_cost_the_others_nothing(server, capfd):
    lines("prompts.jsonl", '"fine"', {"promt": "x"}, "{broken", {"prompt": "also fine"}, {"prompt": ""})
    assert main(["batch", "prompts.jsonl", "-o", "results.jsonl", "--ordered"]) == 3
    assert [result["success"] for result in results()] == [True, False, False, True, False]
    assert results()[1]["error"]["message"] == "prompts.jsonl, line 2: unknown key 'promt': did you mean 'prompt'?"
    told = capfd.readouterr().err.splitlines()
    assert told[0].startswith("flyllm: 2 answered, 3 failed, ")
    assert [line.split(":")[1] for line in told[1:4]] == [f" prompts.jsonl, line {n}" for n in (2, 3, 5)]
    assert sorted(answered(server)) == ["also fine", "fine"]


def test_strict_stops_at_the_first_line_that_is_no_request(server, capfd):
    lines("prompts.jsonl", '"fine"', {"promt": "x"}, '"never sent"')
    assert main(["batch", "prompts.jsonl", "-o", "results.jsonl", "--strict"]) == 1
    assert capfd.readouterr().err.splitlines()[-1].startswith("flyllm: prompts.jsonl, line 2: unknown key 'promt'")
    assert list(answered(server)) == ["fine"]
    assert len(results()) == 1


def test_a_batch_file_of_openai_becomes_a_batch_output_of_openai(server):
    ask = {"method": "POST", "url": "/v1/chat/completions"}
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 9}
    lines("in.jsonl", {"custom_id": "a", **ask, "body": body}, {"custom_id": "b", **ask, "body": {"model": "x"}})
    assert main(["batch", "in.jsonl", "-o", "out.jsonl", "--ordered"]) == 3
    good, bad = results("out.jsonl")
    assert (good["custom_id"], good["error"], good["response"]["status_code"]) == ("a", None, 200)
    completion = good["response"]["body"]
    assert (completion["object"], completion["model"]) == ("chat.completion", "llama3.2")
    assert "hi" in completion["choices"][0]["message"]["content"]
    assert server.requests[0].body["options"]["num_predict"] == 9
    assert (bad["custom_id"], bad["response"]) == ("b", None)
    assert "body has no messages" in bad["error"]["message"]


def test_a_text_file_is_one_prompt_per_line(server):
    Path("prompts.txt").write_text("first\n\nsecond\r\n", encoding="utf-8")
    assert main(["batch", "prompts.txt", "-o", "results.jsonl"]) == 0
    assert sorted(answered(server)) == ["first", "second"]


def test_nothing_answered_is_an_exit_code_of_its_own(server, capfd):
    server.fail(400, times=None)
    assert main(["batch", prompts(2), "-o", "results.jsonl"]) == 4
    assert {result["error"]["type"] for result in results()} == {"InvalidRequestError"}
    assert {result["error"]["status_code"] for result in results()} == {400}
    assert "flyllm: prompts.jsonl, line 1: InvalidRequestError" in capfd.readouterr().err
    server.reset()
    assert main(["batch", "prompts.jsonl", "-o", "results.jsonl", "--resume"]) == 0


def test_a_limit_ends_it_in_part_and_resume_does_the_rest(server, capfd):
    command = ["batch", prompts(30), "-o", "results.jsonl", "--resume", "--max-workers", "1", "--window", "2"]
    assert main([*command, "--budget-tokens", "40"]) == 3
    assert "its budget of 40 tokens is used up" in capfd.readouterr().err
    assert 0 < len(results()) < 30
    assert main(command) == 0
    assert len(results()) == 30
    assert max(answered(server).values()) == 1
    assert main(command) == 0
    assert sum(answered(server).values()) == 30


def test_failures_beyond_the_limit_stop_it(server):
    server.fail(400, times=None)
    assert main(["batch", prompts(30), "-o", "-", "--max-failures", "1", "--max-workers", "1", "--window", "1"]) == 4
    assert len(server.requests) == 2


def test_a_deadline_ends_it(server, capfd):
    server.set(fault=Fault.SILENCE)
    server.enqueue("in time")
    command = ["batch", prompts(5), "-o", "results.jsonl", "--deadline", "1", "--window", "2", "--max-workers", "1"]
    assert main(command) == 3
    assert "its deadline passed" in capfd.readouterr().err


def test_results_of_an_earlier_run_are_not_overwritten_by_accident(server, capfd):
    command = ["batch", prompts(2), "-o", "results.jsonl"]
    assert main(command) == 0
    before = Path("results.jsonl").read_bytes()
    assert main(command) == 1
    assert "'results.jsonl' holds results of an earlier run" in capfd.readouterr().err
    assert Path("results.jsonl").read_bytes() == before
    Path("results.jsonl").unlink()
    assert main(command) == 1
    assert "'results.jsonl.journal' holds results of an earlier run" in capfd.readouterr().err
    assert sum(answered(server).values()) == 2
    assert main([*command, "--force"]) == 0
    assert sum(answered(server).values()) == 4


def test_results_without_a_journal_cannot_be_resumed(server, capfd):
    lines("results.jsonl", {"content": "precious"})
    assert main(["batch", prompts(2), "-o", "results.jsonl", "--resume"]) == 1
    assert "there is no journal 'results.jsonl.journal'" in capfd.readouterr().err
    assert results() == [{"content": "precious"}]
    assert server.count == 0


def test_the_input_is_never_the_output(server, capfd):
    path = prompts(2)
    os.link(path, "same.jsonl")
    for options in (["-o", path], ["-o", "same.jsonl"], ["--journal", path]):
        assert main(["batch", path, *options, "--force"]) == 1
        assert "are the same file" in capfd.readouterr().err
    assert len(results(path)) == 2
    assert server.count == 0


def test_a_journal_in_use_leaves_the_output_alone(capfd):
    from flyllm._batch.journal_file import JournalFile

    command = ["batch", prompts(2), "-o", "results.jsonl"]
    assert main(command) == 0
    before = Path("results.jsonl").read_bytes()
    held = JournalFile.open("results.jsonl.journal")
    try:
        for how in ("--resume", "--force"):
            assert main([*command, how]) == 1
            assert "is in use by another batch" in capfd.readouterr().err
    finally:
        held.close()
    assert Path("results.jsonl").read_bytes() == before


ERRORS = [
    (["no-such.jsonl"], "Failed to read 'no-such.jsonl': No such file or directory"),
    (["."], "The name '.' does not tell its format"),
    (["prompts.dat"], "The name 'prompts.dat' does not tell its format"),
    (["prompts.jsonl", "-c", "no-such.toml"], "Failed to read config file 'no-such.toml'"),
    (["prompts.jsonl", "--task", "chta"], "No enabled instance serves the task 'chta': did you mean 'chat'?"),
    (["table.csv", "--column", "promt"], "table.csv has no column 'promt': did you mean 'prompt'?"),
    (["prompts.jsonl", "-o", "no/such/folder.jsonl"], "No such file or directory"),
]


@pytest.mark.parametrize(("args", "message"), ERRORS)
def test_what_cannot_begin_is_told_in_one_line_with_1(args, message, server, capfd):
    prompts(2)
    lines("table.csv", "prompt", "x")
    assert main(["batch", *args]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("flyllm: ")
    assert message in err
    assert server.count == 0


def test_without_a_configuration_it_says_how_to_name_one(capfd, folder):
    (folder / "flyllm.toml").unlink()
    assert main(["batch", prompts(1)]) == 1
    assert "no flyllm.toml in the current folder; name one with --config" in capfd.readouterr().err


@pytest.mark.parametrize(
    "options",
    [("--resume",), ("-o", "r.jsonl", "--resume", "--force"), ("--param", "temperature"), ("--max-workers", "0")],
)
def test_wrong_options_are_usage_errors(options, server, capfd):
    assert main(["batch", prompts(1), *options]) == 2
    assert "Usage: flyllm batch" in capfd.readouterr().err
    assert server.count == 0


def test_an_empty_input_is_an_empty_output(capfd):
    lines("prompts.jsonl", "")
    assert main(["batch", "prompts.jsonl", "-o", "results.jsonl"]) == 0
    assert Path("results.jsonl").read_bytes() == b""
    lines("table.csv", "prompt")
    assert main(["batch", "table.csv", "-o", "results.csv"]) == 0
    assert Path("results.csv").read_text(encoding="utf-8").startswith("prompt,content,error")


def test_a_full_disk_is_told_in_one_line(capfd):
    if not Path("/dev/full").exists():
        pytest.skip("no such device here")
    assert main(["batch", prompts(2), "-o", "/dev/full"]) == 1
    assert "flyllm: LLMError: '/dev/full' cannot be written: No space left on device" in capfd.readouterr().err


def test_a_missing_sdk_is_told_before_anything_is_sent(server):
    config = str(Path("flyllm.toml").absolute())
    done = run(*without("ollama"), "batch", str(Path(prompts(1)).absolute()), "--config", config)
    assert done.returncode == 2
    assert 'pip install "flyllm[ollama]"' in done.stderr
    assert server.count == 0


def test_the_exit_codes_are_in_the_help(capfd):
    assert main(["batch", "--help"]) == 0
    told = " ".join(capfd.readouterr().out.split())
    assert "0 everything answered" in told
    assert "130 Ctrl-C" in told
