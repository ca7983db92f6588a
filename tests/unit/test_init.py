"""Rules of the public namespace."""

import ast
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import flyllm


def test_all_is_what_the_table_of_homes_has_and_the_version() -> None:
    """`__all__` and the lazy table name the same things."""
    homes = [name for names in flyllm._HOMES.values() for name in names]
    assert set(flyllm.__all__) == {*homes, "__version__"}
    assert len(homes) == len(set(homes))


def test_the_lists_are_sorted() -> None:
    """Whoever looks for a name finds it where the alphabet has it."""
    names = [name for name in flyllm.__all__ if name != "__version__"]
    assert names == sorted(names)
    assert list(flyllm._HOMES) == sorted(flyllm._HOMES)
    assert all(list(names) == sorted(names) for names in flyllm._HOMES.values())


def test_the_imports_for_type_checkers_agree_with_the_table() -> None:
    """A type checker sees the names that the running program gets."""
    tree = ast.parse(Path(str(flyllm.__file__)).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    imports = {
        node.module: tuple(alias.name for alias in node.names)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    }
    assert imports == flyllm._HOMES


@pytest.mark.parametrize("name", flyllm.__all__)
def test_every_name_resolves_to_the_object_of_its_home(name: str) -> None:
    """Each public name can be had, is documented, and is the very object its home defines."""
    value = getattr(flyllm, name)
    if name == "__version__":
        assert isinstance(value, str)
        return
    home = flyllm._HOME_OF[name]
    assert value is getattr(importlib.import_module(home), name)
    if inspect.isclass(value):
        assert value.__module__ == home
        assert value.__doc__


def test_dir_is_the_public_list() -> None:
    """Completion in a shell shows the public names, those of extras included."""
    extras = [name for names in flyllm._EXTRA_HOMES.values() for name in names]
    assert dir(flyllm) == sorted([*flyllm.__all__, *extras])


def test_names_of_extras_are_there_but_not_for_import_star() -> None:
    """`from flyllm import *` must do without the packages of extras."""
    extras = [name for names in flyllm._EXTRA_HOMES.values() for name in names]
    assert all(callable(getattr(flyllm, name)) for name in extras)
    assert not set(extras) & set(flyllm.__all__)


def test_an_unknown_name_is_an_attribute_error_that_says_it() -> None:
    """A typing error is answered as for any module."""
    with pytest.raises(AttributeError, match="module 'flyllm' has no attribute 'LLMManger'"):
        _ = flyllm.LLMManger


def test_the_import_loads_no_sdk_and_nothing_heavy() -> None:
    """`import flyllm` in a fresh process imports no SDK, no pydantic, no tenacity and none of its own modules."""
    code = "import json, sys, flyllm; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    loaded = json.loads(done.stdout)
    roots = {name.partition(".")[0] for name in loaded}
    assert not {"openai", "anthropic", "mistralai", "cohere", "groq", "ollama", "httpx"} & roots
    assert not {"pydantic", "tenacity", "prometheus_client", "typer", "rich", "h11"} & roots
    assert "google.genai" not in loaded
    assert [name for name in loaded if name.startswith("flyllm")] == ["flyllm", "flyllm._version"]
