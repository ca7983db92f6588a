"""The package stays in small pieces."""

from statistics import median

from tests.sizes import functions, modules


def test_no_module_is_longer_than_300_lines() -> None:
    """A module holds one idea."""
    assert {name: lines for name, lines in modules().items() if lines > 300} == {}
    assert median(modules().values()) <= 90


def test_no_function_is_longer_than_50_lines() -> None:
    """A function fits on a screen, most are far shorter."""
    assert {name: lines for name, lines in functions().items() if lines > 50} == {}
    assert median(functions().values()) <= 8
