"""The file of a journal: what is refused, what a full disk leaves, whose it is."""

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flyllm import ConfigError, LLMError
from flyllm._batch import journal_file
from flyllm._batch.journal_file import JournalFile
from flyllm._batch.journal_header import HEADER
from tests.unit.batch.batches import HANG
from tests.unit.batch.journals import size_limit

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def refused(path: object) -> str:
    with pytest.raises(ConfigError) as caught:
        JournalFile.open(path)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_new_journal_is_begun(path: Path) -> None:
    """And found again, with its lines and where they begin."""
    file = JournalFile.open(path)
    file.append(b"one\ntwo\n")
    file.append(b"three\n")
    file.close()
    file = JournalFile.open(str(path))
    found = list(file.lines())
    assert [line for _, line in found] == [b"one\n", b"two\n", b"three\n"]
    assert [file.line(offset) for offset, _ in found] == [b"one\n", b"two\n", b"three\n"]
    file.close()
    assert path.read_bytes() == HEADER + b"one\ntwo\nthree\n"


@posix
def test_a_new_journal_is_its_owners_alone(path: Path) -> None:
    """Answers are private; the mode of a file that is there is its owner's choice."""
    JournalFile.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    JournalFile.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("data", [b'{"custom_id": "a"}\n', b"text", b"\0" * 5000, b"\n"])
def test_somebodys_data_is_left_as_it_is(data: bytes, path: Path) -> None:
    """It is not appended to, cut or touched."""
    path.write_bytes(data)
    os.utime(path, (1.0, 1.0))
    assert "is no journal but" in refused(path)
    assert path.read_bytes() == data
    assert path.stat().st_mtime == 1.0


@pytest.mark.parametrize("length", [0, 1, len(HEADER) - 1])
def test_a_torn_header_is_begun_again(length: int, path: Path) -> None:
    """The process that wrote it was killed in its first moment."""
    path.write_bytes(HEADER[:length])
    JournalFile.open(path).close()
    assert path.read_bytes() == HEADER


def test_what_cannot_be_opened_is_explained(tmp_path: Path) -> None:
    """In one message that names the path."""
    (tmp_path / "file").touch()
    assert "its folder does not exist; create it first" in refused(tmp_path / "no" / "run.jsonl")
    assert "Not a directory" in refused(tmp_path / "file" / "run.jsonl") or sys.platform == "win32"
    assert "cannot be opened: " in refused("a\0b")
    assert "cannot be opened: " in refused("x" * 5000)
    assert "cannot be opened: " in refused(3)
    assert str(tmp_path / "no") in refused(tmp_path / "no" / "run.jsonl")


@posix
def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a pipe, a device, a socket."""
    assert "it is a folder" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "a device or a pipe" in refused(tmp_path / "pipe")
    assert "a device or a pipe" in refused("/dev/null")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "s"))
        assert "cannot be opened" in refused(tmp_path / "s")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may do everything")
def test_a_file_of_others_is_refused(path: Path) -> None:
    """The message says what is missing."""
    path.touch(0o400)
    assert "this process may not read and write it" in refused(path)


def test_one_journal_is_open_once(path: Path) -> None:
    """In one process as in two, and again once it is closed."""
    file = JournalFile.open(path)
    assert "is in use by another batch" in refused(path)
    file.append(b"mine\n")
    file.close()
    JournalFile.open(path).close()
    assert path.read_bytes() == HEADER + b"mine\n"


HOLDS = """
import sys
from flyllm._batch.journal_file import JournalFile
file = JournalFile.open(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@posix
def test_a_lock_ends_with_its_process(path: Path) -> None:
    """Killed at once, it leaves nothing to clean up."""
    with subprocess.Popen(
        (sys.executable, "-c", HOLDS, str(path)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"open\n"
        assert "is in use by another batch" in refused(path)
        process.kill()
    JournalFile.open(path).close()


@posix
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_lets_go_of_it(path: Path) -> None:
    """It can neither use the journal nor hold its lock when the parent has closed it."""
    file = JournalFile.open(path)
    told, tell = os.pipe()
    stay, leave = os.pipe()
    if (child := os.fork()) == 0:
        try:
            file.append(b"the child's\n")
        except LLMError as error:
            os.write(tell, str(error).encode())
        os.close(leave)
        os.read(stay, 1)
        os._exit(0)
    os.close(tell)
    assert b"it is closed, or another process's" in os.read(told, 1000)
    assert "is in use by another batch" in refused(path)
    file.append(b"mine\n")
    file.close()
    JournalFile.open(path).close()  # while the child lives
    for end in (leave, stay, told):
        os.close(end)
    os.waitpid(child, 0)
    assert path.read_bytes() == HEADER + b"mine\n"


@posix
def test_a_process_that_is_started_does_not_hold_it(path: Path) -> None:
    """Whatever it inherits."""
    file = JournalFile.open(path)
    command = (sys.executable, "-c", "print(flush=True); input()")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as process:
        assert process.stdout
        process.stdout.readline()
        file.close()
        JournalFile.open(path).close()
        process.kill()


def test_a_closed_journal_says_so(path: Path) -> None:
    """Closing twice is closing."""
    file = JournalFile.open(path)
    file.close()
    file.close()
    assert not file.is_open
    with pytest.raises(LLMError, match="it is closed"):
        file.append(b"late\n")
    with pytest.raises(LLMError, match="it is closed"):
        file.line(0)


@posix
def test_a_full_disk_leaves_whole_lines(path: Path) -> None:
    """What was written in part is undone; when there is room again, it goes on."""
    file = JournalFile.open(path)
    file.append(b"one\n")
    with size_limit(len(HEADER) + 12), pytest.raises(LLMError, match="What was recorded before is safe"):
        file.append(b"two\nthree and much more\n")
    assert path.read_bytes() == HEADER + b"one\ntwo\n"
    file.append(b"three\n")
    file.close()
    assert path.read_bytes() == HEADER + b"one\ntwo\nthree\n"


class Disk:
    """Takes its time for the first `_sync`: until so many more threads have something to append."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, file: JournalFile, others: int) -> None:
        self._file, self._others = file, others
        self._really, self.syncs, self.reached = journal_file._sync, 0, threading.Event()
        monkeypatch.setattr(journal_file, "_sync", self)

    def __call__(self, fd: int) -> None:
        self.syncs += 1
        self.reached.set()
        self._really(fd)
        while self.syncs == 1 and len(self._file._waiting) <= self._others:
            threading.Event().wait(0.001)


def appended_at_once(file: JournalFile, disk: Disk, lines: list[bytes]) -> dict[bytes, LLMError | None]:
    """What became of each line, all of which are appended by threads of their own, the first one first."""
    found: dict[bytes, LLMError | None] = {}

    def append(line: bytes) -> None:
        try:
            file.append(line)
        except LLMError as error:
            found[line] = error
        else:
            found[line] = None

    threads = [threading.Thread(target=append, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
        assert disk.reached.wait(HANG)
    for thread in threads:
        thread.join(HANG)
    return found


def test_what_threads_append_at_once_is_written_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one has the disk the others gather, and the next writes for all of them."""
    file = JournalFile.open(path)
    lines = [f"{n}\n".encode() for n in range(20)]
    disk = Disk(monkeypatch, file, others=19)
    assert appended_at_once(file, disk, lines) == dict.fromkeys(lines)
    assert disk.syncs == 2
    assert file.appended == 20
    file.close()
    assert sorted(path.read_bytes().splitlines(keepends=True)[1:]) == sorted(lines)


@posix
def test_of_what_is_written_together_each_hears_what_became_of_its_own(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long line that the disk has no room for costs a short one nothing."""
    file = JournalFile.open(path)
    file.append(b"first\n")
    long, short = b"x" * 1000 + b"\n", [b"a\n", b"b\n", b"c\n"]
    disk = Disk(monkeypatch, file, others=3)
    with size_limit(len(HEADER) + 200):
        found = appended_at_once(file, disk, [short[0], long, *short[1:]])
    file.close()
    assert [line for line, error in found.items() if error] == [long]
    assert set(path.read_bytes().splitlines(keepends=True)) == {HEADER, b"first\n", *short}


def test_a_journal_may_be_closed_by_a_thread_that_is_writing_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As garbage collection does with a batch that nobody holds any more: the write fails, and nothing hangs."""
    file = JournalFile.open(path)
    monkeypatch.setattr(journal_file, "_sync", lambda _: file.close())
    file.append(b"one\n")
    with pytest.raises(LLMError, match="it is closed"):
        file.append(b"two\n")
    assert path.read_bytes() == HEADER + b"one\n"


@posix
def test_a_disk_that_is_full_at_once_is_explained(path: Path) -> None:
    """And nothing is left of the header."""
    with size_limit(5):
        assert "cannot be opened: File too large" in refused(path)
    assert path.read_bytes() == b""


@posix
def test_a_journal_that_was_deleted_is_not_written_on(path: Path) -> None:
    """The results would be gone when the batch ends."""
    file = JournalFile.open(path)
    path.unlink()
    with pytest.raises(LLMError, match="was deleted or cut by somebody else"):
        file.append(b"one\n")
    file.close()


@posix
def test_a_journal_that_was_cut_is_not_written_on(path: Path) -> None:
    """A hole would be left in it."""
    file = JournalFile.open(path)
    file.append(b"one\n")
    os.truncate(path, 0)
    with pytest.raises(LLMError, match="was deleted or cut by somebody else"):
        file.append(b"two\n")
    file.close()
    assert path.read_bytes() == b""


@posix
def test_what_somebody_else_has_added_stays(path: Path) -> None:
    """`cat more.jsonl >> run.jsonl` during a batch costs nothing."""
    file = JournalFile.open(path)
    with path.open("ab") as other:
        other.write(b"theirs\n")
    file.append(b"mine\n")
    file.close()
    assert path.read_bytes() == HEADER + b"theirs\nmine\n"
