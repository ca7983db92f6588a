"""Rules of debug files."""

import json
import logging
import os
import signal
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyllm.errors import ServerError
from flyllm.observability import json_array
from flyllm.observability.debug_files import DebugFiles
from flyllm.observability.events import AttemptEvent
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, TokenUsage

NAN = float("nan")
REQUEST = GenerationRequest("What?", task="t", system="Be brief", metadata={"job": 7})


def event(content: str = "ok", **attempt: Any) -> AttemptEvent:
    values: dict[str, Any] = {
        "number": 1,
        "instance_id": 0,
        "instance_name": "i0",
        "provider": "openai",
        "model": "gpt-4o",
        "started": 1_700_000_000.7,
        "waited": 0.0,
        "duration": 0.25,
        "outcome": "success",
        "usage": TokenUsage(1, 2, 3),
        "request_id": "r-1",
    }
    request = attempt.pop("request", REQUEST)
    error = attempt.pop("failed", None)
    params = attempt.pop("params", {"temperature": 1})
    return AttemptEvent(Attempt(**{**values, **attempt}), request, params, error, content, "abc-1")


def read(folder: Path) -> list[Any]:
    (file,) = folder.rglob("debug.json")
    return json.loads(file.read_text(encoding="utf-8"))


def test_the_layout_is_the_originals(tmp_path: Path) -> None:
    """Folder of the start second, folder of id, provider and model, one JSON array."""
    files = DebugFiles(str(tmp_path / "debug"))
    files.on_attempt(event())
    files.on_attempt(event(started=1_700_000_099.0))
    files.on_attempt(event(instance_id=1, provider="ollama", model="llama3"))
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json"))
    assert found == [
        "debug/1700000000/0_openai_gpt-4o/debug.json",
        "debug/1700000000/1_ollama_llama3/debug.json",
    ]


def test_an_entry_has_what_was_asked_and_answered(tmp_path: Path) -> None:
    """FlyLLM's metadata, input and output of one attempt under its names, and what it does not have."""
    files = DebugFiles(str(tmp_path))
    usage = TokenUsage(1, 2, 3, 0, None, frozenset({"completion_tokens"}))
    files.on_attempt(event("Hällo ☃", usage=usage, cost=0.25, chosen_because="lru", waited=0.5, first_content=0.1))
    failed = ServerError("HTTP 500")
    files.on_attempt(
        event("", number=2, outcome="ServerError", usage=TokenUsage(), failed=failed, status_code=500, retry_after=3.0)
    )
    first, second = read(tmp_path)
    assert first == {
        "metadata": {
            "timestamp": 1_700_000_000,
            "instance_id": 0,
            "instance_name": "i0",
            "instance_model": "gpt-4o",
            "duration_ms": 250,
            "provider": "openai",
            "id": "abc-1",
            "attempt": 1,
            "outcome": "success",
            "chosen_because": "lru",
            "waited": 0.5,
            "first_content": 0.1,
            "status_code": None,
            "retry_after": None,
            "request_id": "r-1",
            "cost": 0.25,
        },
        "input": {
            "prompt": "What?",
            "system": "Be brief",
            "messages": None,
            "task": "t",
            "parameters": {"temperature": 1},
            "metadata": {"job": 7},
        },
        "output": {
            "success": True,
            "content": "Hällo ☃",
            "usage": {
                "prompt_tokens": 1,
                "completion_tokens": 2,
                "total_tokens": 3,
                "cached_tokens": 0,
                "reasoning_tokens": None,
                "source": {
                    "prompt_tokens": "reported",
                    "completion_tokens": "estimated",
                    "total_tokens": "reported",
                    "cached_tokens": "reported",
                    "reasoning_tokens": "unknown",
                },
            },
        },
    }
    assert (second["output"]["success"], second["output"]["error"]) == (False, "HTTP 500")
    assert (second["metadata"]["status_code"], second["metadata"]["retry_after"]) == (500, 3.0)


def test_the_file_is_a_valid_array_after_every_append(tmp_path: Path) -> None:
    """A reader may look at any time."""
    files = DebugFiles(str(tmp_path))
    for count in range(1, 8):
        files.on_attempt(event("x" * count))
        assert [entry["output"]["content"] for entry in read(tmp_path)] == ["x" * n for n in range(1, count + 1)]


def test_an_append_does_not_read_or_rewrite_what_is_there(tmp_path: Path) -> None:
    """The cost of an entry does not grow with the file: bytes before the end stay untouched, whatever they are."""
    files = DebugFiles(str(tmp_path))
    files.on_attempt(event())
    (file,) = tmp_path.rglob("debug.json")
    data = bytearray(file.read_bytes())
    data[5] = 0x00
    file.write_bytes(data)
    files.on_attempt(event())
    assert file.read_bytes()[: len(data) - 2] == data[:-2]


def test_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """They hold prompts; so are all folders that are made for them."""
    DebugFiles(str(tmp_path / "deep" / "debug")).on_attempt(event())
    *folders, file = sorted(tmp_path.rglob("*"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700] * 4


@settings(max_examples=40, deadline=None)
@given(
    model=st.text(max_size=30)
    | st.sampled_from(["../../../etc/passwd", "org/model:7b", "..", ".", "", "a\x00b", "模型", "x" * 5000, "\ud800"])
    | st.sampled_from(["con", "nul.txt", "a:b*?<>|", "ends with. ", "C:\\Windows", "~", "$(touch x)", "-rf", "\n"])
)
def test_no_model_name_leaves_the_folder(model: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever a model is called, its file lies inside the debug folder and can be written."""
    folder = tmp_path_factory.mktemp("debug")
    DebugFiles(str(folder / "in")).on_attempt(event(model=model))
    (file,) = folder.rglob("debug.json")
    assert file.resolve().is_relative_to(folder / "in")
    assert len(file.relative_to(folder / "in").parts) == 3
    assert os.listdir(folder) == ["in"]


def test_sixteen_threads_write_one_valid_file(tmp_path: Path) -> None:
    """No entry of concurrent attempts is lost or torn."""
    files, barrier = DebugFiles(str(tmp_path)), threading.Barrier(16)

    def work(number: int) -> None:
        barrier.wait(20)
        for n in range(10):
            files.on_attempt(event(f"{number}-{n}" * 50))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({entry["output"]["content"] for entry in read(tmp_path)}) == 160


def test_two_writers_of_one_path_do_not_spoil_it(tmp_path: Path) -> None:
    """A forked worker or a second manager begun in the same second has the same path; both write whole entries."""
    writers, barrier = [DebugFiles(str(tmp_path)) for _ in range(4)], threading.Barrier(4)

    def work(files: DebugFiles) -> None:
        barrier.wait(20)
        for n in range(20):
            files.on_attempt(event(f"{id(files)}-{n}" * 100))

    threads = [threading.Thread(target=work, args=(files,)) for files in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({entry["output"]["content"] for entry in read(tmp_path)}) == 80


@pytest.mark.parametrize(
    "metadata",
    [{"when": object()}, {(1, 2): "tuple key", "a": 1}, {"text": "\ud800"}, {"set": {1}}, {"bytes": b"x"}, {"n": NAN}],
)
def test_any_metadata_can_be_written(metadata: Any, tmp_path: Path) -> None:
    """The user's own values need not be JSON."""
    DebugFiles(str(tmp_path)).on_attempt(event(request=GenerationRequest("x", metadata=metadata)))
    assert len(read(tmp_path)) == 1


def test_a_deleted_folder_is_made_again(tmp_path: Path) -> None:
    """Cleaning up while the program runs costs what was deleted."""
    files = DebugFiles(str(tmp_path / "debug"))
    files.on_attempt(event("old"))
    (tmp_path / "debug").rename(tmp_path / "elsewhere")
    files.on_attempt(event("new"))
    assert [entry["output"]["content"] for entry in read(tmp_path / "debug")] == ["new"]


def break_by_file(folder: Path) -> None:
    folder.write_text("a file where the folder should be")


def place(folder: Path) -> Path:
    """Make the folder of the one file, and return that."""
    made = folder / "1700000000" / "0_openai_gpt-4o"
    made.mkdir(parents=True)
    return made / "debug.json"


def break_by_directory(folder: Path) -> None:
    place(folder).mkdir()


def break_by_text(folder: Path) -> None:
    place(folder).write_text("what somebody else keeps here")


@pytest.mark.parametrize("spoil", [break_by_file, break_by_directory, break_by_text])
def test_a_disk_that_fails_costs_one_warning(spoil: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk or a folder that cannot be written is said once; requests go on, from however many threads."""
    spoil(tmp_path / "debug")
    files = DebugFiles(str(tmp_path / "debug"))
    with caplog.at_level(logging.WARNING, "flyllm.debug_files"):
        threads = [threading.Thread(target=files.on_attempt, args=(event(),)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"debug files cannot be written in {tmp_path / 'debug'}: ")
    assert record.exc_info is None


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links cannot be refused here")
@pytest.mark.parametrize("target", ["there", "missing"])
def test_no_link_is_followed(target: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In a folder that others may write to, a link in the file's place would have us write anywhere."""
    (tmp_path / "there").write_text("precious")
    place(tmp_path / "debug").symlink_to(tmp_path / target)
    DebugFiles(str(tmp_path / "debug")).on_attempt(event())
    assert (tmp_path / "there").read_text() == "precious"
    assert not (tmp_path / "missing").exists()
    assert len(caplog.records) == 1


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner's number here")
def test_nothing_is_written_into_another_users_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was laid there to be read."""
    file = place(tmp_path / "debug")
    file.touch()
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    DebugFiles(str(tmp_path / "debug")).on_attempt(event())
    assert file.read_text() == ""
    assert "another user's file" in caplog.text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_in_the_files_place_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody may ever read from it."""
    os.mkfifo(place(tmp_path / "debug"))
    DebugFiles(str(tmp_path / "debug")).on_attempt(event())
    assert "no regular file" in caplog.text


def test_a_disk_that_recovers_gets_entries_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What came meanwhile is lost, and said once."""
    files = DebugFiles(str(tmp_path / "debug"))
    (tmp_path / "debug").write_text("in the way")
    files.on_attempt(event("lost"))
    (tmp_path / "debug").unlink()
    files.on_attempt(event("kept"))
    assert [entry["output"]["content"] for entry in read(tmp_path)] == ["kept"]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("before", [1, 1_000, 50_000])
def test_an_entry_costs_the_same_however_many_there_are(
    before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bytes read and written."""
    files, moved = DebugFiles(str(tmp_path)), {"read": 0, "written": 0}
    files.on_attempt(event())
    (file,) = tmp_path.rglob("debug.json")
    one = file.read_bytes()[2:-2]
    file.write_bytes(b"[\n" + b",\n".join([one] * before) + b"\n]")
    read_, write = json_array._read, json_array._write

    def reading(fd: int, at: int, count: int) -> bytes:
        moved["read"] += count
        return read_(fd, at, count)

    def writing(fd: int, at: int, text: bytes) -> None:
        moved["written"] += len(text)
        write(fd, at, text)

    monkeypatch.setattr(json_array, "_read", reading)
    monkeypatch.setattr(json_array, "_write", writing)
    files.on_attempt(event())
    assert moved == {"read": 4, "written": len(one) + 4}
    assert len(read(tmp_path)) == before + 1


def test_a_disk_that_fills_up_leaves_a_valid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that did not fit is taken back whole; later ones follow the last good one."""
    files = DebugFiles(str(tmp_path))
    files.on_attempt(event("first"))
    write, full = json_array._write, [True]

    def filling(file: Any, at: int, text: bytes) -> None:
        if full and full.pop():
            write(file, at, text[: len(text) // 2])
            raise OSError(28, "No space left on device")
        write(file, at, text)

    monkeypatch.setattr(json_array, "_write", filling)
    files.on_attempt(event("second"))
    assert [entry["output"]["content"] for entry in read(tmp_path)] == ["first"]
    files.on_attempt(event("third"))
    assert [entry["output"]["content"] for entry in read(tmp_path)] == ["first", "third"]


def test_a_disk_that_is_full_from_the_start_leaves_no_half_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first entry, too, is there whole or not at all."""
    files, write, full = DebugFiles(str(tmp_path)), json_array._write, [True]

    def filling(file: Any, at: int, text: bytes) -> None:
        if full and full.pop():
            write(file, at, text[:10])
            raise OSError(28, "No space left on device")
        write(file, at, text)

    monkeypatch.setattr(json_array, "_write", filling)
    files.on_attempt(event("lost"))
    files.on_attempt(event("kept"))
    assert [entry["output"]["content"] for entry in read(tmp_path)] == ["kept"]


FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
FROM_THREADS = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@FORKS
@FROM_THREADS
def test_a_child_forked_during_a_write_does_not_lock_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the open file, lock and all, from its parent and keeps it for as long as it lives."""
    write, (read_end, write_end), children = json_array._write, os.pipe(), []

    def forking(file: Any, at: int, text: bytes) -> None:
        if not children:
            if not (child := os.fork()):
                os.close(write_end)
                os.read(read_end, 1)
                os._exit(0)
            children.append(child)
        write(file, at, text)

    monkeypatch.setattr(json_array, "_write", forking)
    files = DebugFiles(str(tmp_path))
    files.on_attempt(event("first"))
    files.on_attempt(event("second"))
    assert [entry["output"]["content"] for entry in read(tmp_path)] == ["first", "second"]
    os.close(write_end)
    os.waitpid(children[0], 0)
    os.close(read_end)


@FORKS
@FROM_THREADS
def test_a_child_forked_during_a_write_can_write(tmp_path: Path) -> None:
    """The thread that held the lock is not there to give it back."""
    files = DebugFiles(str(tmp_path))
    with files._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # instead of hanging for ever
            files.on_attempt(event("child"))
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [entry["output"]["content"] for entry in read(tmp_path)] == ["child"]
