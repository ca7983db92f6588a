"""`flyllm generate` as people and scripts use it: a prompt in, the answer and nothing else out."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyllm.cli import main
from flyllm.cli.simulate import toml_for
from flyllm.testing import Fault, ProviderSimulator, Reply, SimulatedProvider, cut
from tests.public.processes import CANARY, COMMAND, HANG, environment, run

pytestmark = pytest.mark.timeout(2 * HANG)

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def server() -> Iterator[SimulatedProvider]:
    with ProviderSimulator() as simulator:
        yield simulator["ollama"]


@pytest.fixture
def config(server: SimulatedProvider, tmp_path: Path) -> str:
    path = tmp_path / "flyllm.toml"
    text = toml_for({"ollama": server.url}).replace("[[tasks]]", "[settings]\nmax_retries = 0\n\n[[tasks]]")
    path.write_text(text.replace("simulated", CANARY), encoding="utf-8")
    return str(path)


def test_the_answer_is_all_of_stdout(server: SimulatedProvider, config: str) -> None:
    server.reply("Paris.")
    options = ("--task", "chat", "--system", "Be brief.", "--param", "max_tokens=5", "--param", "stop=X")
    done = run(*COMMAND, "generate", "Where?", "--config", config, *options)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Paris.", "")
    (request,) = server.requests
    assert [message["content"] for message in request.body["messages"]] == ["Be brief.", "Where?"]
    assert request.body["options"]["num_predict"] == 5


def test_the_prompt_comes_from_stdin(server: SimulatedProvider, config: str) -> None:
    done = run(*COMMAND, "generate", "--config", config, "--stream", given="grün\nund blau\n")
    assert done.returncode == 0, done.stderr
    assert server.requests[0].body["messages"][-1]["content"] == "grün\nund blau"
    assert done.stdout.startswith("[ollama]")


def test_pieces_are_printed_as_they_come(server: SimulatedProvider, config: str) -> None:
    server.set(pace=2 * HANG)
    server.reply("first second third")
    command = [*COMMAND, "generate", "x", "--config", config, "--stream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.read(5) == b"first"
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=HANG) == (b"", b"")
            assert process.returncode == 130
        finally:
            process.kill()


def test_an_answer_that_breaks_off_is_printed_as_far_as_it_came(server: SimulatedProvider, config: str) -> None:
    server.enqueue("one two three four", fault=cut(after=2))
    done = run(*COMMAND, "generate", "x", "--config", config, "--stream")
    assert (done.returncode, done.stdout) == (1, "one two")
    assert done.stderr.startswith("flyllm: StreamInterruptedError")
    assert done.stderr.count("\n") == 1


def test_json_is_the_whole_response(server: SimulatedProvider, config: str, capsys: Captured) -> None:
    server.reply("42")
    assert main(["generate", "x", "--config", config, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["content"], said["finish_reason"], said["instance"]) == ("42", "stop", "ollama/llama3.2")
    assert said["usage"]["total_tokens"] == 2
    assert [attempt["outcome"] for attempt in said["attempts"]] == ["success"]
    assert said["cost"] is None


def test_json_of_a_stream_is_a_line_for_each_chunk_and_the_response(
    server: SimulatedProvider, config: str, capsys: Captured
) -> None:
    server.reply("one two")
    assert main(["generate", "x", "--config", config, "--json", "--stream"]) == 0
    *chunks, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "".join(chunk.get("content", "") for chunk in chunks) == "one two"
    assert chunks[-1]["usage"]["completion_tokens"] == last["response"]["usage"]["completion_tokens"]
    assert last["response"]["content"] == "one two"


def test_json_tells_failures_too(server: SimulatedProvider, config: str, capsys: Captured) -> None:
    server.enqueue("one two three", fault=cut(after=1))
    assert main(["generate", "x", "--config", config, "--json", "--stream"]) == 1
    response = json.loads(capsys.readouterr().out.splitlines()[-1])["response"]
    assert (response["success"], response["content"]) == (False, "one")
    assert response["error"]["type"] == "StreamInterruptedError"
    assert response["duration"] >= 0
    server.fail(500)
    assert main(["generate", "x", "--config", config, "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["status_code"] == 500
    assert captured.err.startswith("flyllm: ServerError at ollama/llama3.2")
    assert CANARY not in captured.out + captured.err


def test_a_cut_answer_is_remarked_on_stderr(server: SimulatedProvider, config: str, capsys: Captured) -> None:
    server.enqueue(Reply("Cut of", finish="length"))
    assert main(["generate", "x", "--config", config]) == 0
    captured = capsys.readouterr()
    assert captured.out == "Cut of"
    assert "max_tokens" in captured.err


def test_the_timeout_is_over_everything(server: SimulatedProvider, config: str, capsys: Captured) -> None:
    server.set(fault=Fault.SILENCE)
    assert main(["generate", "x", "--config", config, "--timeout", "0.3"]) == 1
    assert "DeadlineExceededError" in capsys.readouterr().err


def test_mistakes_are_told_before_anything_is_sent(server: SimulatedProvider, config: str, capsys: Captured) -> None:
    assert main(["generate", "x", "--config", config, "--task", "chatt"]) == 1
    assert "did you mean 'chat'" in capsys.readouterr().err
    assert main(["generate", "x", "--config", config, "--param", "warm"]) == 2
    assert main(["generate", "x", "--config", "none.toml"]) == 1
    assert "none.toml" in capsys.readouterr().err
    assert server.count == 0


def test_a_terminal_without_a_prompt_is_a_usage_error(config: str) -> None:
    leader, terminal = os.openpty()
    command = [*COMMAND, "generate", "--config", config]
    try:
        done = subprocess.run(
            command, stdin=terminal, capture_output=True, timeout=HANG, env=environment(), check=False
        )
    finally:
        os.close(leader)
        os.close(terminal)
    assert done.returncode == 2
    assert b"PROMPT" in done.stderr


def test_a_reader_that_leaves_is_told_nothing(server: SimulatedProvider, config: str) -> None:
    server.reply("word " * 20_000)
    reader, writer = os.pipe()
    command = [*COMMAND, "generate", "x", "--config", config, "--stream"]
    with subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, env=environment()) as process:
        os.close(writer)
        assert os.read(reader, 1) == b"w"
        os.close(reader)
        assert process.communicate(timeout=HANG)[1] == b""
        assert process.returncode == 1
