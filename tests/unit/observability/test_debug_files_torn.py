"""What a writer leaves that was killed in the middle of an entry: the next one repairs it."""

import json
from pathlib import Path

import pytest

from flyllm.observability import json_array
from flyllm.observability.json_array import append

FIRST = b'{\n  "a": "[\\n{}\\n]",\n  "b": {"c": 1}\n}'
SECOND = b'{\n  "a": "second"\n}'
THIRD = b'{\n  "a": "third"\n}'


@pytest.fixture(params=[1, 5, 65_536], ids="blocks of {}".format, autouse=True)
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the end in blocks of any size: it may lie across two."""
    monkeypatch.setattr(json_array, "_BLOCK", request.param)


def whole(*entries: bytes) -> bytes:
    return b"[\n" + b",\n".join(entries) + b"\n]"


def torn(before: bytes, at: int, written: bytes) -> bytes:
    """A file of which `written` is what got over its end, from `at` on."""
    return before[:at] + written + before[at + len(written) :]


def test_wherever_a_writer_was_killed_the_next_one_repairs(tmp_path: Path) -> None:
    """What was whole is kept; of the entry it died in, all or nothing."""
    file, before = tmp_path / "debug.json", whole(FIRST)
    text = b",\n" + SECOND + b"\n]"
    for count in range(len(text) + 1):
        file.write_bytes(torn(before, len(before) - 2, text[:count]))
        append(str(file), THIRD)
        found = file.read_bytes()
        assert found in (whole(FIRST, THIRD), whole(FIRST, SECOND, THIRD)), count
        json.loads(found)


def test_wherever_the_first_entry_was_torn_the_next_one_repairs(tmp_path: Path) -> None:
    """Of the first entry, too, all or nothing."""
    file, text = tmp_path / "debug.json", whole(FIRST)
    for count in range(len(text) + 1):
        file.write_bytes(text[:count])
        append(str(file), THIRD)
        assert file.read_bytes() in (whole(THIRD), whole(FIRST, THIRD)), count


def test_wherever_taking_back_an_entry_was_torn_the_next_one_repairs(tmp_path: Path) -> None:
    """A writer may die while it makes room on a full disk: the old end is there again, and behind it the rest."""
    file, rest = tmp_path / "debug.json", b",\n" + SECOND[:-5]
    for end in (b"\n]", b"\n", b""):
        file.write_bytes(torn(b"[\n" + FIRST + rest, len(FIRST) + 2, end))
        append(str(file), THIRD)
        assert file.read_bytes() == whole(FIRST, THIRD)


def test_what_a_power_cut_left_empty_is_repaired(tmp_path: Path) -> None:
    """File systems that give a file its new length before its new bytes leave zeros."""
    file = tmp_path / "debug.json"
    file.write_bytes(whole(FIRST)[:-2] + bytes(100))
    append(str(file), THIRD)
    assert file.read_bytes() == whole(FIRST, THIRD)


@pytest.mark.parametrize("text", [b"precious", b"[1, 2]", b"{}\n", bytes(10), b"\n}"])
def test_a_file_of_another_kind_is_left_alone(text: bytes, tmp_path: Path) -> None:
    """It is not torn, but somebody else's."""
    file = tmp_path / "debug.json"
    file.write_bytes(text)
    with pytest.raises(OSError, match="another kind"):
        append(str(file), THIRD)
    assert file.read_bytes() == text


def test_an_array_that_is_too_large_for_one_look_is_repaired(tmp_path: Path) -> None:
    """A torn entry may be longer than what is read at a time."""
    file = tmp_path / "debug.json"
    file.write_bytes(whole(FIRST)[:-2] + b",\n{" + b"x" * 200_000)
    json_array._BLOCK = 65_536
    append(str(file), THIRD)
    assert file.read_bytes() == whole(FIRST, THIRD)
