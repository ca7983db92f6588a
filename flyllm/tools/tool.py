"""A Python function as a tool: the schema a model is told, and the call that the model's arguments make."""

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from importlib import import_module
from operator import attrgetter
from types import FunctionType
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from flyllm.errors import ConfigError
from flyllm.tools.inspection import docstring_of, name_of, parameters_of, refuse_async
from flyllm.tools.passing import GivenArguments, Passed

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # what all providers take


class Arguments(Protocol):
    """What a tool may be called with."""

    schema: dict[str, Any]

    def read(self, text: str) -> Passed:
        """Return what the JSON in `text` passes. Raises `BadArguments` that tells a model what is wrong."""


class Tool:
    """A function that a model may have called. Itself callable like the function, so it may decorate one.

    Where a tool is expected a bare function will do; this makes its schema once instead of for each request, and can
    give it another name or description. Immutable.

    Args:
        function: a function, method, `functools.partial` (what that has fixed the model is not told) or other
            callable; not async.
        name: what the model knows it by; None: the function's name.
        description: what the model is told of it; None: the first paragraph of its docstring.
        parameters: a JSON schema of an object, by which arguments are then not checked but passed by name as they are;
            None: by the signature, with descriptions from `Annotated[..., Field(description=)]` or the docstring, and
            arguments become what the annotations say.

    Raises ConfigError for a function that a model cannot be told of.
    """

    __slots__ = ("_arguments", "_given", "description", "function", "name")

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        if not callable(function):
            raise ConfigError(f"a tool must be a function or a dict, not {type(function).__name__}")
        refuse_async(function)
        self.function = function
        self.name = name_of(function) if name is None else name
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"{self.name!r:.80} cannot name a tool (letters, digits, _ and -, at most 64): give Tool(..., name=)"
            )
        told = docstring_of(function)
        self.description = told.summary if description is None else description
        self._arguments: Arguments = (
            _by_signature(function, told.parameters) if parameters is None else GivenArguments(function, parameters)
        )
        self._given = {"name": name, "description": description, "parameters": parameters}

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema of its arguments, a copy."""
        return deepcopy(self._arguments.schema)

    @property
    def schema(self) -> dict[str, Any]:
        """The tool in the chat-completions shape."""
        described = {"description": self.description} if self.description else {}
        return {"type": "function", "function": {"name": self.name, **described, "parameters": self.parameters}}

    def run(self, arguments: str) -> Any:
        """Call the function with the JSON that a model wrote. Raises `BadArguments`, or what the function raises."""
        passed = self._arguments.read(arguments)
        return self.function(*passed.positional, **passed.named)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Tool {self.name}>"

    def __reduce__(self) -> Any:
        place = getattr(self.function, "__module__", None), getattr(self.function, "__qualname__", None)
        # As a decorator it stands where the function's name leads, and pickles by it as the function would.
        return (_named, place) if _named(*place) is self else (_made, (self.function, self._given))


_known: "WeakKeyDictionary[FunctionType, Arguments]" = WeakKeyDictionary()
"""Of functions given bare, request after request: a schema is made once for each."""


def _by_signature(function: Callable[..., Any], descriptions: Mapping[str, str]) -> Arguments:
    known = _known.get(function) if isinstance(function, FunctionType) else None
    if known is not None:
        return known
    typed = import_module("flyllm.tools.arguments").SignatureArguments
    made: Arguments = typed(name_of(function), parameters_of(function), descriptions)
    if isinstance(function, FunctionType):
        _known[function] = made
    return made


def _named(module: Any, name: Any) -> Any:
    try:
        return attrgetter(name)(import_module(module))
    except Exception:  # it has no name of its own: a local function, an object
        return None


def _made(function: Callable[..., Any], given: Mapping[str, Any]) -> Tool:
    return Tool(function, **given)


def tool_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """Return what a model is told of `function`, in the chat-completions shape. Raises ConfigError as `Tool` does."""
    return (function if isinstance(function, Tool) else Tool(function)).schema
