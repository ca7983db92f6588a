"""No row of the fault matrix is forgotten: each is proved by a marked test, elsewhere, or has a reason why not."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.fault_matrix.rows import ELSEWHERE, NOT_TESTED, ROWS

HERE = Path(__file__).parent / "fault_matrix"
ROOT = Path(__file__).parents[2]


def calls_of_row(file: Path) -> Iterator[ast.Call]:
    """Yield the `row(...)` calls of a test file: decorators, and marks of parameters."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "row":
            yield node


def proved() -> dict[int, set[str]]:
    """Return the files that prove each row."""
    found: dict[int, set[str]] = {}
    for file in HERE.glob("test_*.py"):
        for call in calls_of_row(file):
            for argument in call.args:
                found.setdefault(ast.literal_eval(argument), set()).add(file.name)
    return found


def test_the_table_has_all_sixty_rows() -> None:
    """The specification numbers them 1 to 60."""
    assert list(ROWS) == list(range(1, 61))


def test_every_row_is_proved_or_has_its_reason() -> None:
    """A row without a marked test stands in `ELSEWHERE` or in `NOT_TESTED`."""
    missing = {number: ROWS[number] for number in ROWS.keys() - proved().keys() - ELSEWHERE.keys() - NOT_TESTED.keys()}
    assert not missing


def test_every_mark_names_a_row() -> None:
    """A mark with another number would prove nothing."""
    assert proved().keys() <= ROWS.keys()


@pytest.mark.parametrize("number", ELSEWHERE)
def test_what_is_proved_elsewhere_is_there(number: int) -> None:
    """The files that `ELSEWHERE` names exist and have tests."""
    for name in ELSEWHERE[number]:
        file = ROOT / name
        assert file.exists(), f"row {number}: {name} is not there"
        assert "def test_" in file.read_text("utf-8")


def test_every_test_of_the_matrix_is_marked() -> None:
    """A test that belongs to no row belongs elsewhere."""
    unmarked = [
        f"{file.name}::{node.name}"
        for file in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not _marked(node)
    ]
    assert not unmarked


def _marked(test: ast.FunctionDef) -> bool:
    calls = [node for mark in test.decorator_list for node in ast.walk(mark) if isinstance(node, ast.Call)]
    return any(isinstance(call.func, ast.Name) and call.func.id == "row" for call in calls)
