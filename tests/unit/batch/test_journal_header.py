"""A journal is told from somebody's data by its first line."""

import pytest

from flyllm import ConfigError
from flyllm._batch.journal_header import HEADER, has_header


@pytest.mark.parametrize("length", range(len(HEADER)))
def test_the_beginning_of_a_header_is_no_journal_yet(length: int) -> None:
    """Nothing is lost by beginning it again."""
    assert not has_header(HEADER[:length], "x")


@pytest.mark.parametrize(
    "line", [HEADER, HEADER[:-1] + b"\r\n", b"\xef\xbb\xbf" + HEADER, b'{"flyllm_journal":1,"by":"a later version"}\n']
)
def test_a_header_is_one_however_it_is_written(line: bytes) -> None:
    """Also after an editor of Windows, or with more in it."""
    assert has_header(line, "x")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"custom_id": "a", "body": {}}\n', "JSON Lines with the fields 'custom_id', 'body'"),
        (b"{}\n", "a file of another kind"),
        (b"[1, 2]\n", "a file of another kind"),
        (b"Dear diary\n", "a file of another kind"),
        (b"\n", "a file of another kind"),
        (b"\xff\xd8\xff\xe0", "a file of another kind"),
        (b"[" * 4096, "a file of another kind"),
    ],
)
def test_anything_else_is_refused(line: bytes, kind: str) -> None:
    """The message says what it looks like and what to do."""
    with pytest.raises(ConfigError) as caught:
        has_header(line, "the journal 'a.jsonl'")
    assert (
        str(caught.value) == f"the journal 'a.jsonl' is no journal but {kind}: it was left as it is; give another path"
    )


@pytest.mark.parametrize("version", ["2", "0", '"1"', "null"])
def test_another_version_is_refused(version: str) -> None:
    """It may mean something that this one does not know."""
    with pytest.raises(ConfigError, match="journal version"):
        has_header(f'{{"flyllm_journal": {version}}}\n'.encode(), "x")
