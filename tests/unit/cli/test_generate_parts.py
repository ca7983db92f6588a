"""What `flyllm generate` reads, and how its answer ends."""

import io

import pytest
import typer

from flyllm.cli.generate.prompt import prompt_of
from flyllm.cli.generate.text import print_whole
from flyllm.errors import ConfigError
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class OneAnswer:
    def __init__(self, text: str) -> None:
        self._text = text

    def generate(self, request: GenerationRequest) -> LLMResponse:
        return LLMResponse(self._text)


def stdin(monkeypatch: pytest.MonkeyPatch, given: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))


@pytest.mark.parametrize("given", [None, "-"])
def test_stdin_is_the_prompt_without_its_last_line_break(monkeypatch: pytest.MonkeyPatch, given: str | None) -> None:
    stdin(monkeypatch, "\ufeffgrün\r\nblau\r\n".encode())
    assert prompt_of(given) == "grün\r\nblau"


def test_an_argument_is_taken_as_it_is() -> None:
    assert prompt_of(" two words ") == " two words "


@pytest.mark.parametrize(("given", "said"), [(b"", "stdin is empty"), (b" \n", "stdin is empty"), (b"\xff", "UTF-8")])
def test_stdin_without_a_prompt_is_an_error(monkeypatch: pytest.MonkeyPatch, given: bytes, said: str) -> None:
    stdin(monkeypatch, given)
    with pytest.raises(ConfigError, match=said):
        prompt_of(None)


def test_a_terminal_is_read_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    with pytest.raises(typer.BadParameter):
        prompt_of(None)


@pytest.mark.parametrize(("answer", "shown"), [("Paris.", "Paris.\n"), ("Paris.\n", "Paris.\n"), ("", "")])
def test_on_a_terminal_an_answer_ends_its_line(monkeypatch: pytest.MonkeyPatch, answer: str, shown: str) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    print_whole(OneAnswer(answer), GenerationRequest("x"))  # type: ignore[arg-type]
    assert terminal.getvalue() == shown
