"""Requests line by line: JSON in flyllm's shape or in that of OpenAI's batch files, or plain prompts."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from flyllm.cli.batch.json_output import write_own
from flyllm.cli.batch.openai_input import is_openai, read_openai
from flyllm.cli.batch.openai_output import write_openai
from flyllm.cli.batch.row import Finish, Row, Write, fault_text
from flyllm.config.wording import hint, noun
from flyllm.errors import ConfigError
from flyllm.request import COMMON_PARAMS, GenerationRequest

FIELDS = tuple(field.name for field in fields(GenerationRequest))

_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Shape:
    """How a request is read from JSON, and its result written. `read` raises ConfigError."""

    read: Callable[[Any], GenerationRequest]
    write: Write


def json_rows(lines: Iterable[bytes], finish: Finish) -> Iterator[Row]:
    """Yield a row for every line that is not blank. One that is no JSON has the shape of the line before."""
    shape = OWN
    for number, line in _numbered(lines):
        told = None
        try:
            told = _decoded(line)
            shape = OPENAI if is_openai(told) else OWN
            request = finish(shape.read(told))
        except ConfigError as error:
            yield Row(number, shape.write, fault=fault_text(error), custom_id=_custom_id(told))
        else:
            yield Row(number, shape.write, request, custom_id=request.custom_id)


def text_rows(lines: Iterable[bytes], finish: Finish) -> Iterator[Row]:
    """Yield a row for every line that is not blank: it is a prompt."""
    for number, line in _numbered(lines):
        try:
            yield Row(number, write_own, finish(GenerationRequest(_text(line).strip("\r\n"))))
        except ConfigError as error:
            yield Row(number, write_own, fault=fault_text(error))


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(lines, 1):
        text = line.removeprefix(_MARK) if number == 1 else line
        if text.strip():
            yield number, text


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"it is not UTF-8 text: byte {error.start + 1} is 0x{line[error.start]:02x}") from None


def _decoded(line: bytes) -> Any:
    text = _text(line)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"it is no JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError):  # a number of 5000 digits; brackets within brackets
        raise ConfigError("it is JSON that cannot be read: a number too long, or nested too deeply") from None


def _own_request(told: Any) -> GenerationRequest:
    if isinstance(told, str):
        return GenerationRequest(told)
    if not isinstance(told, dict):
        raise ConfigError(f'a line is a prompt as JSON text or an object such as {{"prompt": "..."}}, not {noun(told)}')
    unknown = [_unknown(key) for key in told if key not in FIELDS]
    if unknown:
        raise ConfigError.from_faults(unknown)
    return GenerationRequest(**told)


def _unknown(key: str) -> str:
    if key in COMMON_PARAMS:
        return f"'{key}' is a parameter: it belongs into 'params'"
    return f"unknown key {key[:40]!r}{hint(key, FIELDS)}"


def _custom_id(told: Any) -> str | None:
    given = told.get("custom_id") if isinstance(told, dict) else None
    return given if isinstance(given, str) else None


OWN = Shape(_own_request, write_own)
OPENAI = Shape(read_openai, write_openai)
