"""The tools of a request: dicts in the chat-completions shape, callables, or a mixture."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from flyllm.errors import ConfigError
from flyllm.tools.tool import Tool

Given = Mapping[str, Any] | Callable[..., Any]


def read_tools(tools: Sequence[Given] | None) -> list[Mapping[str, Any] | Tool]:
    """Return `tools` with a `Tool` for each callable. Raises one `ConfigError` that names all that is wrong."""
    read: list[Mapping[str, Any] | Tool] = []
    faults: list[str] = []
    for number, given in enumerate(tools or ()):
        try:
            read.append(given if isinstance(given, Mapping | Tool) else Tool(given))
        except ConfigError as error:
            faults.append(f"tools[{number}]: {error}")
            read.append({})
    faults += _twice(read)
    if faults:
        raise ConfigError.from_faults(faults, "The request is not valid")
    return read


def schemas_of(tools: Sequence[Given] | None) -> Sequence[Mapping[str, Any]] | None:
    """Return `tools` as dicts; the very sequence where they are. Raises `ConfigError` as `read_tools` does."""
    read = read_tools(tools)
    if not any(isinstance(tool, Tool) for tool in read):
        return tools  # type: ignore[return-value]  # nothing but dicts
    return [tool.schema if isinstance(tool, Tool) else tool for tool in read]


def _twice(read: Sequence[Mapping[str, Any] | Tool]) -> Iterator[str]:
    first: dict[str, int] = {}
    for number, tool in enumerate(read):
        name = tool.name if isinstance(tool, Tool) else _name(tool)
        if name is not None and first.setdefault(name, number) != number:
            yield f"tools[{number}] is called {name!r} like tools[{first[name]}]: a model could not tell them apart"


def _name(tool: Mapping[str, Any]) -> str | None:
    function = tool.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    return name if isinstance(name, str) else None
