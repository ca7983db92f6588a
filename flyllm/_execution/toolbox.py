"""The functions of a run: a model's call becomes a message that says what it brought, or why it brought nothing."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from flyllm._secret import Secret, redact
from flyllm.errors import ConfigError
from flyllm.tools.passing import BadArguments
from flyllm.tools.tool import Tool
from flyllm.types import ToolCall

logger = logging.getLogger("flyllm.tools")

MOST = 2000
"""Characters of an error that a model is told."""


class Toolbox:
    """The functions among `tools`. Raises `ConfigError` where there are none, or functions that cannot be called."""

    def __init__(self, tools: Sequence[Mapping[str, Any] | Tool], secrets: Sequence[Secret]) -> None:
        self._functions = {tool.name: tool for tool in tools if isinstance(tool, Tool)}
        self._secrets = secrets
        bare = [n for n, tool in enumerate(tools) if isinstance(tool, Mapping) and "function" in tool]
        faults = [f"tools[{n}] is a description without a function: give a function, or Tool(...)" for n in bare]
        if not faults and not self._functions:
            faults = ["run_tools needs functions to call: give the request tools"]
        if faults:
            raise ConfigError.from_faults(faults, "The request is not valid")

    def answer(self, call: ToolCall) -> dict[str, Any]:
        """Call the function in this thread; return the message with its result, or with what went wrong.

        Lets through what is no `Exception`, such as KeyboardInterrupt.
        """
        tool = self._functions.get(call.name)
        if tool is None:
            return self._failed(call, f"there is no function {call.name!r}; there are: {', '.join(self._functions)}")
        try:
            message = call.result(tool.run(call.arguments))
        except BadArguments as exc:
            return self._failed(call, f"the arguments do not fit {call.name!r}: {exc}")
        except Exception as exc:
            logger.warning("the function %s raised %s", call.name, type(exc).__name__)
            logger.debug("the function %s", call.name, exc_info=exc)
            return self._failed(call, f"{type(exc).__name__}: {_text(exc)}")
        # A lone surrogate, which a function may have from the name of a file, has no encoding.
        return {**message, "content": message["content"].encode(errors="replace").decode()}

    def _failed(self, call: ToolCall, why: str) -> dict[str, Any]:
        told = redact(why, *self._secrets)[:MOST]
        return call.result(f"Error: {told}".encode(errors="replace").decode())


def _text(exc: Exception) -> str:
    try:
        return str(exc)
    except Exception:  # an exception's own __str__ may fail
        return ""
