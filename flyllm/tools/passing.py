"""What is passed to a function, and the arguments of one whose schema its caller has written."""

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class BadArguments(ValueError):  # noqa: N818 - it is the model's to mend, not an error of the caller's
    """A model's arguments are not JSON, or not what the function takes; the text says why."""


class Passed(NamedTuple):
    """The arguments of one call of a function."""

    positional: tuple[Any, ...]
    named: dict[str, Any]


class GivenArguments:
    """Arguments by a JSON schema that was given with the function; they are passed as they are, by name."""

    def __init__(self, function: Callable[..., Any], schema: Mapping[str, Any]) -> None:
        self._function, self.schema = function, dict(schema)

    def read(self, text: str) -> Passed:
        """Return what `text` passes to the function. Raises `BadArguments` that tells a model what is wrong."""
        try:
            given = json.loads(text.strip() or "{}")
        except ValueError as exc:
            raise BadArguments(f"Invalid JSON: {exc}") from None
        if not isinstance(given, dict):
            raise BadArguments("Input should be an object")
        try:
            inspect.signature(self._function).bind(**given)
        except TypeError as exc:
            raise BadArguments(str(exc)) from None
        except ValueError:  # a builtin that does not tell its signature
            pass
        return Passed((), given)
