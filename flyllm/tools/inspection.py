"""What can be known of a callable without pydantic: its name, its docstrings, and the parameters a model may fill."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from flyllm.errors import ConfigError
from flyllm.tools.docstring import Docstring, read_docstring

_MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def name_of(function: Callable[..., Any]) -> str:
    """Return the function's own name; of an object that can be called its class's."""
    inner = _inner(function)
    return str(getattr(inner, "__name__", type(inner).__name__))


def docstring_of(function: Callable[..., Any]) -> Docstring:
    """Return what the docstring says; of an object that can be called, its `__call__`'s and its class's together."""
    inner = _inner(function)
    own = read_docstring(inspect.getdoc(inner))
    if inspect.isroutine(inner) or isinstance(inner, type):
        return own
    called = read_docstring(type(inner).__call__.__doc__)
    return Docstring(called.summary or own.summary, {**own.parameters, **called.parameters})


def refuse_async(function: Callable[..., Any]) -> None:
    """Raise `ConfigError` for a function that must be awaited."""
    code = _code(function)
    if inspect.iscoroutinefunction(code) or inspect.isasyncgenfunction(code):
        raise ConfigError(
            f"the function {name_of(function)!r} is async: flyllm calls tools from blocking code, give it a plain one"
        )


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters that a model fills, their annotations resolved; those a partial has fixed are none.

    Raises `ConfigError` that says what is in the way: `*args` or `**kwargs`, or an annotation that names nothing.
    """
    name = name_of(function)
    fixed = function.keywords if isinstance(function, functools.partial) else {}
    try:
        signature = inspect.signature(function)
        hints = get_type_hints(_code(function), include_extras=True)
    except Exception as exc:  # builtins without a signature, annotations as text that name what is not there
        raise ConfigError(f"the signature of {name!r} cannot be read: {exc}") from None
    found = [p for p in signature.parameters.values() if p.name not in fixed]
    if many := [str(p).partition(":")[0] for p in found if p.kind in _MANY]:
        raise ConfigError(
            f"the function {name!r} takes {' and '.join(many)}: a model must be told each parameter by its name"
        )
    return [p.replace(annotation=hints.get(p.name, Any)) for p in found]


def _inner(function: Callable[..., Any]) -> Any:
    return function.func if isinstance(function, functools.partial) else function


def _code(function: Callable[..., Any]) -> Any:
    """Return the function whose body runs and whose annotations count."""
    inner = inspect.unwrap(_inner(function))
    if isinstance(inner, type):
        return inner.__dict__.get("__init__", inner)
    return inner if inspect.isroutine(inner) else inspect.unwrap(type(inner).__call__)
