"""The line of each path, whatever TOML allows around it."""

import tomllib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyllm.config.lines import Path, lines_of
from tests.unit.config.toml_text import NEAR, toml_of

TEXT = r"""# a comment with [[providers]] and = and "
top = 1
[settings] # another
strategy = QQQ
[[providers]]
x = 1 \QQQ ""xQQQ""
literal = '''
[a]
'''
"quoted.key" = 'its' # not two strings
""".replace("QQQ", '"' * 3)

DOCUMENT = """
[settings]
strategy = "lru"

[[tasks]]
name = "a"
provider_params.openai.user = "u"
provider_params.groq = { x = 1, y.z = [1, 2] }
[tasks.provider_params.ollama]
num_ctx = 1

[[tasks]]
name = "b"

[[providers]]
type = "openai"
tasks = [
  "a", # comment ]
  "b",

]
[providers.headers]
"X.A" = "1"
[[providers]]
params = { stop = ["]", '''}
'''], other = 2 }
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("settings",), 2),
        (("settings", "strategy"), 3),
        (("tasks",), 5),
        (("tasks", 0), 5),
        (("tasks", 0, "name"), 6),
        (("tasks", 0, "provider_params"), 7),
        (("tasks", 0, "provider_params", "openai", "user"), 7),
        (("tasks", 0, "provider_params", "groq", "y", "z", 1), 8),
        (("tasks", 0, "provider_params", "ollama"), 9),
        (("tasks", 0, "provider_params", "ollama", "num_ctx"), 10),
        (("tasks", 1), 12),
        (("tasks", 1, "name"), 13),
        (("providers", 0, "tasks"), 17),
        (("providers", 0, "tasks", 0), 18),
        (("providers", 0, "tasks", 1), 19),
        (("providers", 0, "headers", "X.A"), 23),
        (("providers", 1), 24),
        (("providers", 1, "params", "stop", 1), 25),
        (("providers", 1, "params", "other"), 26),
    ],
)
def test_the_line_of_a_path(path: Path, line: int) -> None:
    assert lines_of(DOCUMENT.replace("provider_params.openai", "provider_params . openai"))[path] == line
    assert lines_of(DOCUMENT.replace("\n", "\r\n"))[path] == line


def test_strings_and_comments_are_not_read_for_keys() -> None:
    tomllib.loads(TEXT)
    assert lines_of(TEXT) == {
        ("top",): 2,
        ("settings",): 3,
        ("settings", "strategy"): 4,
        ("settings", "literal"): 7,
        ("settings", "quoted.key"): 10,
    }


def test_a_table_named_before_its_parent() -> None:
    assert lines_of("[a.b]\n\n[a]\nc = 1") == {("a", "b"): 1, ("a",): 3, ("a", "c"): 4}


def test_nesting_without_an_end_gives_the_lines_that_can_be_had() -> None:
    assert lines_of("a = 1\nb = " + "[" * 50_000)[("a",)] == 1


def test_nesting_that_the_parser_bears_is_followed() -> None:
    text = "a = " + "[" * 200 + "\n1" + "]" * 200
    assert set(lines_of(text)) == set(paths_of(tomllib.loads(text)))


SCALARS = st.sampled_from(
    [
        "1",
        "-1.5e3",
        "inf",
        "true",
        '"a # ] } , = [x]"',
        r'"\" \\"',
        "'lit \" \\'",
        '""',
        '"""\n a ] = "" \\""" \\\n x"""',
        '"""two more"""""',
        "'''\n[b]\nc = 1 '' '''",
        "1979-05-27T07:32:00.5Z",
        "1979-05-27 07:32:00",
    ]
)
NAMES = [
    ("a", "a"),
    ("b-1", "b-1"),
    ("1", "1"),
    ('"a.b"', "a.b"),
    ("'x # y'", "x # y"),
    (r'"\u00e9\""', 'é"'),
    ('""', ""),
]
GAPS = st.sampled_from(["", "\n", "  # c ] = [[a]]\n", "\r\n", " \n\n"])


class Writer:
    """Writes a random document and keeps the line of everything in it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw, self.text = draw, ""
        self.lines: dict[Path, int] = {}

    def note(self, path: Path) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def names(self, most: int) -> list[tuple[str, str]]:
        return self.draw(st.lists(st.sampled_from(NAMES), max_size=most, unique=True))

    def value(self, path: Path, depth: int = 2) -> None:
        kind = self.draw(st.sampled_from(["scalar", "scalar", "array", "inline"] if depth else ["scalar"]))
        if kind == "scalar":
            self.text += self.draw(SCALARS)
        elif kind == "array":
            self.array(path, depth - 1)
        else:
            self.text += "{ "
            for number, (written, name) in enumerate(self.names(2)):
                self.text += ", " if number else ""
                self.pair(path, written, name, depth - 1)
            self.text += " }"

    def array(self, path: Path, depth: int) -> None:
        self.text += "["
        for index in range(self.draw(st.integers(0, 3))):
            self.text += self.draw(GAPS)
            self.note((*path, index))
            self.value((*path, index), depth)
            self.text += "," + self.draw(GAPS)
        self.text += self.draw(GAPS) + "]"

    def pair(self, table: Path, written: str, name: str, depth: int = 2) -> None:
        path = (*table, name)
        self.note(path)
        if self.draw(st.booleans()):
            written, path = f"{written} . z", (*path, "z")
            self.note(path)
        self.text += f"{written} = "
        self.value(path, depth)

    def body(self, table: Path) -> None:
        for written, name in self.names(3):
            self.pair(table, written, name)
            self.text += self.draw(st.sampled_from(["\n", " # c = 1\n", "\n\n"]))

    def header(self, form: str, *paths: Path) -> None:
        self.text += self.draw(st.sampled_from(["", "# c\n", "\n"]))
        for path in paths:
            self.note(path)
        self.text += f"{form}\n"
        self.body(paths[-1])

    def document(self) -> None:
        self.body(())
        self.header("[t]", ("t",))
        self.header("[ t2 . 'u v' ]", ("t2",), ("t2", "u v"))
        for index in range(self.draw(st.integers(0, 3))):
            self.header("[[list]]", ("list",), ("list", index))
            if self.draw(st.booleans()):
                self.header("[list.T]", ("list", index, "T"))
            for inner in range(self.draw(st.integers(0, 2))):
                self.header('[["list".L]]', ("list", index, "L"), ("list", index, "L", inner))


@st.composite
def written(draw: st.DrawFn) -> Writer:
    writer = Writer(draw)
    writer.document()
    return writer


def paths_of(value: Any, path: Path = ()) -> Iterator[Path]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from paths_of(item, (*path, key))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(written())
def test_generated_documents_have_the_lines_they_were_written_to(document: Writer) -> None:
    lines = lines_of(document.text)
    assert lines == document.lines
    assert set(lines) == set(paths_of(tomllib.loads(document.text)))


PIECES = st.sampled_from(
    [
        "[",
        "]",
        "[[",
        "]]",
        "a",
        "b",
        ".",
        "=",
        "a = ",
        "1",
        '"',
        '"""',
        "'",
        "'''",
        "\\",
        "\n",
        "\r\n",
        "#",
        "{",
        "}",
        ",",
    ]
)


@settings(deadline=None)
@given(st.text() | st.lists(PIECES).map("".join) | NEAR.map(toml_of))
def test_any_text_has_lines_in_range_and_every_path_of_toml_has_one(text: str) -> None:
    lines = lines_of(text)
    assert all(0 <= line <= text.count("\n") + 1 for line in lines.values())
    with suppress(ValueError):
        assert set(paths_of(tomllib.loads(text))) <= set(lines)
