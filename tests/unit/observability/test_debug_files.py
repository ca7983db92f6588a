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
from flyllm.observability.debug_files import DebugFiles
from flyllm.observability.events import AttemptEvent
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, TokenUsage

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
    return AttemptEvent(Attempt(**{**values, **attempt}), request, {"temperature": 1}, error, content)


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
    """Metadata, input and output of one attempt, under the original's names."""
    files = DebugFiles(str(tmp_path))
    files.on_attempt(event("Hällo ☃"))
    files.on_attempt(event("", number=2, outcome="ServerError", usage=TokenUsage(), failed=ServerError("HTTP 500")))
    first, second = read(tmp_path)
    assert first == {
        "metadata": {
            "timestamp": 1_700_000_000,
            "instance_id": 0,
            "instance_name": "i0",
            "instance_model": "gpt-4o",
            "duration_ms": 250,
            "attempt": 1,
            "outcome": "success",
            "request_id": "r-1",
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
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        },
    }
    assert (second["output"]["success"], second["output"]["error"]) == (False, "HTTP 500")


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
    """They hold prompts."""
    DebugFiles(str(tmp_path)).on_attempt(event())
    (file,) = tmp_path.rglob("debug.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@settings(max_examples=40, deadline=None)
@given(
    model=st.text(max_size=30)
    | st.sampled_from(["../../../etc/passwd", "org/model:7b", "..", ".", "", "a\x00b", "模型", "x" * 5000, "\ud800"])
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
    [{"when": object()}, {(1, 2): "tuple key", "a": 1}, {"text": "\ud800"}, {"set": {1}}, {"bytes": b"x"}],
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


def break_by_full_disk(folder: Path) -> None:
    place = folder / "1700000000" / "0_openai_gpt-4o"
    place.mkdir(parents=True)
    (place / "debug.json").symlink_to("/dev/full")


def break_by_directory(folder: Path) -> None:
    (folder / "1700000000" / "0_openai_gpt-4o" / "debug.json").mkdir(parents=True)


@pytest.mark.parametrize("spoil", [break_by_file, break_by_full_disk, break_by_directory])
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


def test_a_disk_that_fills_up_leaves_a_valid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that did not fit is taken back whole; later ones follow the last good one."""
    from flyllm.observability import debug_files

    files = DebugFiles(str(tmp_path))
    files.on_attempt(event("first"))
    write, full = debug_files._write, [True]

    def filling(file: Any, at: int, text: bytes) -> None:
        if full and full.pop():
            write(file, at, text[: len(text) // 2])
            raise OSError(28, "No space left on device")
        write(file, at, text)

    monkeypatch.setattr(debug_files, "_write", filling)
    files.on_attempt(event("second"))
    assert [entry["output"]["content"] for entry in read(tmp_path)] == ["first"]
    files.on_attempt(event("third"))
    assert [entry["output"]["content"] for entry in read(tmp_path)] == ["first", "third"]


def test_a_disk_that_is_full_from_the_start_leaves_no_half_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first entry, too, is there whole or not at all."""
    from flyllm.observability import debug_files

    files, write, full = DebugFiles(str(tmp_path)), debug_files._write, [True]

    def filling(file: Any, at: int, text: bytes) -> None:
        if full and full.pop():
            write(file, at, text[:10])
            raise OSError(28, "No space left on device")
        write(file, at, text)

    monkeypatch.setattr(debug_files, "_write", filling)
    files.on_attempt(event("lost"))
    files.on_attempt(event("kept"))
    assert [entry["output"]["content"] for entry in read(tmp_path)] == ["kept"]


FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
FROM_THREADS = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@FORKS
@FROM_THREADS
def test_a_child_forked_during_a_write_does_not_lock_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the open file, lock and all, from its parent and keeps it for as long as it lives."""
    from flyllm.observability import debug_files

    write, (read_end, write_end), children = debug_files._write, os.pipe(), []

    def forking(file: Any, at: int, text: bytes) -> None:
        if not children:
            if not (child := os.fork()):
                os.close(write_end)
                os.read(read_end, 1)
                os._exit(0)
            children.append(child)
        write(file, at, text)

    monkeypatch.setattr(debug_files, "_write", forking)
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
