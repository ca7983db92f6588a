"""A journal resumes a batch: who is recalled, who is missing, and what is said about it."""

import json
import logging
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flyllm import ConfigError, GenerationRequest, LLMError, LLMResponse
from flyllm._batch.journal import Journal
from flyllm._batch.journal_header import HEADER
from tests.unit.batch.journals import answer, failure, messages, named, run

MANY = 10_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO, "flyllm.batch"):
        yield


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()[1:]]


def test_what_is_recorded_is_recalled(path: Path) -> None:
    """By its custom id, in whatever order the requests come."""
    assert run(path, [named("a", "A"), named("b", "B")]) == [None, None]
    assert run(path, [named("b", "B"), named("c", "C"), named("a", "A")]) == ["to B", None, "to A"]


def test_a_request_without_a_name_is_recalled_by_what_it_asks(path: Path) -> None:
    """In whatever order the requests come."""
    assert run(path, [GenerationRequest("A"), GenerationRequest("B")]) == [None, None]
    assert run(path, [GenerationRequest("B"), GenerationRequest("A", timeout=3.0)]) == ["to B", "to A"]


def test_equal_requests_are_told_apart_by_their_number(path: Path) -> None:
    """Of three that are asked where two were, one is missing."""
    same = GenerationRequest("Roll a die")
    with Journal.open(path) as journal:
        for text in ("one", "two"):
            journal.record([(journal.entry(same), 0, answer(text))])
    with Journal.open(path) as journal:
        recalled = [journal.recall(journal.entry(same)) for _ in range(3)]
    assert [known and known.content for known in recalled] == ["one", "two", None]


def test_an_answer_comes_back_whole(path: Path) -> None:
    """But for `raw` and `parsed`."""
    response = answer("Hello \ud800\n", 3, "a")
    with Journal.open(path) as journal:
        journal.record([(journal.entry(named("a")), 3, replace(response, raw={"a": 1}, parsed=[1]))])
    with Journal.open(path) as journal:
        assert journal.recall(journal.entry(named("a"))) == response


def test_the_journal_gives_a_response_its_place_and_name(path: Path) -> None:
    """Those of the entry, whatever the response says."""
    with Journal.open(path) as journal:
        journal.record([(journal.entry(named("a")), 7, LLMResponse("x"))])
    with Journal.open(path) as journal:
        assert journal.recall(journal.entry(named("a"))) == LLMResponse("x", index=7, custom_id="a")


def test_a_failure_is_missing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Resuming is for sending it again."""
    run(path, [named("a", "A"), named("b", "B")], fail=("a",))
    assert [(line["custom_id"], line["success"]) for line in lines(path)] == [("a", False), ("b", True)]
    caplog.clear()
    assert run(path, [named("a", "A"), named("b", "B")]) == [None, "to B"]
    assert messages(caplog, "INFO")[0].endswith(
        "1 answers recalled, 1 results recorded; 1 failures of earlier runs counted as missing"
    )
    assert run(path, [named("a", "A"), named("b", "B")]) == ["to A", "to B"]


def test_a_request_that_has_changed_is_missing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is sent again, the new answer counts from then on, and the end tells of it."""
    run(path, [named("a", "A"), named("b", "B")])
    assert run(path, [named("a", "A2"), named("b", "B")]) == [None, "to B"]
    assert "1 requests ask something else than when they were recorded" in messages(caplog)[0]
    assert messages(caplog)[0].endswith("count as missing: a")
    caplog.clear()
    assert run(path, [named("a", "A2"), named("b", "B")]) == ["to A2", "to B"]
    assert messages(caplog) == []


def test_of_many_changed_requests_the_first_are_named(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log is not flooded."""
    run(path, [named(f"q{n}", "A") for n in range(20)])
    run(path, [named(f"q{n}", "B") for n in range(20)])
    assert messages(caplog)[-1].endswith(": q0, q1, q2, q3, q4 and 15 more")


def test_the_last_line_of_a_request_counts(path: Path) -> None:
    """Also where it is a failure."""
    with Journal.open(path) as journal:
        a, b = journal.entry(named("a")), journal.entry(named("b"))
        journal.record([(a, 0, answer("old")), (b, 1, answer("old")), (a, 0, answer("new")), (b, 1, failure())])
    with Journal.open(path) as journal:
        known = journal.recall(journal.entry(named("a")))
        assert known
        assert known.content == "new"
        assert journal.recall(journal.entry(named("b"))) is None


def test_two_requests_of_one_name_are_an_error(path: Path) -> None:
    """Their results could not be told apart."""
    with Journal.open(path) as journal:
        journal.entry(named("a", "A"))
        with pytest.raises(ConfigError, match="custom_id 'a' is given to more than one request"):
            journal.entry(named("a", "B"))
        journal.entry(named("b", "A"))


def test_a_name_must_be_text(path: Path) -> None:
    """Whatever was given as a request, an entry or a ConfigError comes of it."""
    with Journal.open(path) as journal, pytest.raises(ConfigError, match="custom_id must be text, not int"):
        journal.entry(GenerationRequest("x", custom_id=3))  # type: ignore[arg-type]


def test_the_journal_of_another_run_is_noticed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A warning when nothing of it was asked for, else a word about the rest."""
    run(path, [named("a"), named("b")])
    caplog.clear()
    run(path, [named("c")])
    assert "none of the 2 results in the journal" in messages(caplog)[0]
    assert messages(caplog)[0].endswith("is it the journal of another run?")
    caplog.clear()
    run(path, [named("a"), named("c")])
    assert messages(caplog) == []
    assert messages(caplog, "INFO")[1].startswith("1 results in the journal")


def test_a_run_of_nothing_says_nothing_of_it(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No request was asked for, so no result can have been."""
    run(path, [named("a")])
    caplog.clear()
    run(path, [])
    assert messages(caplog) == []
    assert len(messages(caplog, "INFO")) == 1


def test_a_torn_line_is_cut_off(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its result is missing, and the next one has a line of its own."""
    run(path, [named("a", "A"), named("b", "B")])
    path.write_bytes(path.read_bytes()[:-5])
    assert run(path, [named("a", "A"), named("b", "B")]) == ["to A", None]
    assert "was torn, by a crash or a full disk" in messages(caplog)[0]
    assert [line["custom_id"] for line in lines(path)] == ["a", "b"]


def test_a_line_that_lacks_its_end_alone_is_completed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The answer was paid for."""
    run(path, [named("a", "A")])
    path.write_bytes(path.read_bytes()[:-1])
    assert run(path, [named("a", "A"), named("b", "B")]) == ["to A", None]
    assert messages(caplog) == []
    assert [line["custom_id"] for line in lines(path)] == ["a", "b"]


DAMAGE = [
    b"\n",
    b'{"custom_id": "b", "cont\n',
    b"\x00" * 700 + b"\n",
    b"\xff\xfe\n",
    b"[1]\n",
    b"{}\n",
    b'{"custom_id": 3, "content_hash": "x", "occurrence": 1}\n',
    b'{"custom_id": "b", "content_hash": "x"}\n',
    b"[" * 100_000 + b"\n",
]


@pytest.mark.parametrize("damaged", DAMAGE, ids=lambda line: str(line[:12]))
def test_a_damaged_line_is_skipped(damaged: bytes, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is reported by its number, and the file is left as it is."""
    run(path, [named("a", "A"), named("b", "B"), named("c", "C")])
    header, a, _, c = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(header + a + damaged + c)
    Journal.open(path).close()
    assert path.read_bytes() == header + a + damaged + c
    assert messages(caplog)[0].endswith("is damaged in line 3: what was there is missing")
    assert run(path, [named("a", "A"), named("b", "B"), named("c", "C")]) == ["to A", None, "to C"]


def test_a_line_that_is_no_response_is_missing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody has edited it."""
    run(path, [named("a", "A")])
    path.write_bytes(
        path.read_bytes().replace(b'"usage": {"prompt_tokens": 1', b'"usage": [{"prompt_tokens": 1}], "x": {"y": 1')
    )
    assert run(path, [named("a", "A")]) == [None]
    assert "is no response" in messages(caplog)[0]


def test_a_damaged_line_does_not_hide_an_earlier_one(path: Path) -> None:
    """Of two lines for a request the last whole one counts."""
    run(path, [named("a", "A")])
    with path.open("ab") as file:
        file.write(b'{"custom_id": "a", "content_hash": "\n')
    assert run(path, [named("a", "A")]) == ["to A"]


def test_neither_a_prompt_nor_a_raw_answer_is_in_the_file(path: Path) -> None:
    """Only hashes and answers are."""
    request = GenerationRequest("my secret prompt", system="my secret system", params={"user": "my secret user"})
    with Journal.open(path) as journal:
        journal.record([(journal.entry(request), 0, LLMResponse("x", raw={"echo": "my secret prompt"}))])
    assert b"secret" not in path.read_bytes()


def test_a_group_is_written_at_once(path: Path) -> None:
    """And nothing for an empty one."""
    with Journal.open(path) as journal:
        journal.record([])
        assert path.read_bytes() == HEADER
        journal.record((journal.entry(named(str(n))), n, answer("x")) for n in range(3))
        assert [line["index"] for line in lines(path)] == [0, 1, 2]


def test_a_closed_journal_records_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Closing twice tells the end once."""
    journal = Journal.open(path)
    entry = journal.entry(named("a"))
    journal.close()
    journal.close()
    with pytest.raises(LLMError, match="it is closed"):
        journal.record([(entry, 0, answer("x"))])
    assert len(messages(caplog, "INFO")) == 1


def test_a_journal_that_cannot_be_read_is_closed(path: Path) -> None:
    """What is refused is not left locked."""
    path.write_bytes(b'{"flyllm_journal": 2}\n')
    for _ in range(2):
        with pytest.raises(ConfigError, match="journal version 2"):
            Journal.open(path)


def test_a_result_on_disk_takes_little_memory(path: Path) -> None:
    """Below 150 bytes, whatever the length of the answer; and a request of the run below 50."""
    with Journal.open(path) as journal:
        requests = [named(f"request-{n}") for n in range(MANY)]
        journal.record([(journal.entry(request), 0, answer("x" * 500)) for request in requests])
    tracemalloc.start()
    try:
        journal = Journal.open(path)
        opened = tracemalloc.get_traced_memory()[0]
        for request in requests:
            journal.entry(request)
        asked = tracemalloc.get_traced_memory()[0] - opened
    finally:
        tracemalloc.stop()
    journal.close()
    assert opened < 150 * MANY
    assert asked < 50 * MANY
