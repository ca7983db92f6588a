"""Who a request is, from one run to the next."""

import math
import sys
from collections import OrderedDict, deque
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model

from flyllm import GenerationRequest
from flyllm._batch.identity import CONTENT, Entry, content_hash
from tests.public.processes import run

REQUEST = GenerationRequest("Hi", params={"temperature": 0.5, "seed": 1})

CHANGES: dict[str, Any] = {
    "prompt": "Ho",
    "task": "summary",
    "params": {"temperature": 0.6, "seed": 1},
    "messages": [{"role": "user", "content": "x"}],
    "images": ["https://example.com/a.png"],
    "system": "Be brief",
    "provider_params": {"groq": {"user": "u"}},
    "tools": [{"type": "function"}],
    "tool_choice": "auto",
    "response_format": {"type": "json_object"},
}

UNSENT: dict[str, Any] = {
    "timeout": 3.0,
    "hedge": True,
    "retry_invalid": 2,
    "fail_on": ("empty",),
    "on_interrupt": "restart",
    "first_content_timeout": 1.0,
    "idle_timeout": 1.0,
    "custom_id": "a",
    "metadata": {"a": 1},
}


class Odd:
    """Its text has an address in it."""


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


def circle() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


ODD_VALUES = {
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"ab"),
    "memoryview": memoryview(b"ab"),
    "object": Odd(),
    "object without text": Broken(),
    "set": {"a", "b", "c", "d"},
    "numbers as names": {1: "a", "b": 2, None: 3, (1, 2): 4},
    "no number": [math.nan, math.inf, -math.inf],
    "lone surrogate": "\ud800",
    "circle": circle(),
    "endless number": 10**5000,
    "queue": deque([1, 2]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_sent_or_routes_changes_the_hash(name: str) -> None:
    """A request that asks something else is another one."""
    assert content_hash(replace(REQUEST, **{name: CHANGES[name]})) != content_hash(REQUEST)


@pytest.mark.parametrize("name", UNSENT)
def test_what_is_not_sent_does_not(name: str) -> None:
    """How long to wait for an answer does not make it another question."""
    assert content_hash(replace(REQUEST, **{name: UNSENT[name]})) == content_hash(REQUEST)


def test_every_field_of_a_request_is_one_or_the_other() -> None:
    """A new field is not forgotten."""
    assert set(CHANGES) == set(CONTENT)
    assert {field.name for field in fields(GenerationRequest)} == set(CHANGES) | set(UNSENT)


def test_the_hash_of_a_request_stays() -> None:
    """Journals of earlier versions of the package are resumed."""
    request = replace(REQUEST, messages=[{"role": "user", "content": "ä"}])
    assert content_hash(request) == "4e68d7b0fe03fc62bb7726afec7f03dd12349cc82594010f625eb732014ee60f"


def test_the_order_of_names_and_the_kind_of_container_do_not_count() -> None:
    """They are not seen by the provider."""
    for params in (OrderedDict(seed=1, temperature=0.5), MappingProxyType({"seed": 1, "temperature": 0.5})):
        assert content_hash(replace(REQUEST, params=params)) == content_hash(REQUEST)
    a, b = [{"role": "user", "content": "x"}], ({"content": "x", "role": "user"},)
    assert content_hash(GenerationRequest(messages=a)) == content_hash(GenerationRequest(messages=b))


@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=ODD_VALUES)
def test_any_value_has_a_hash(value: Any) -> None:
    """It is for the request's check to refuse it."""
    given: Any = GenerationRequest(prompt=value, params={"a": value}, tools=value)
    assert content_hash(given) == content_hash(given)
    assert content_hash(given) != content_hash(REQUEST)


PRINTS = """
from flyllm import GenerationRequest
from flyllm._batch.identity import content_hash

class Odd:
    pass

held = [Odd() for _ in range({objects})]
print(content_hash(GenerationRequest("ä", params={{"a": set("abcdefgh"), "b": Odd(), "c": {{1: b"x", "y": 1.0}}}})))
"""


def test_it_is_the_same_in_every_process() -> None:
    """Whatever the seed of its hashes and the addresses of its objects."""
    runs = [
        run(sys.executable, "-c", PRINTS.format(objects=1000 * int(seed)), PYTHONHASHSEED=seed) for seed in ("1", "2")
    ]
    assert [done.stderr for done in runs] == ["", ""]
    assert runs[0].stdout == runs[1].stdout


@given(st.text() | st.none(), st.text() | st.none(), st.integers(1, 3), st.integers(1, 3))
def test_entries_have_one_key_where_they_have_one_identity(a: str | None, b: str | None, m: int, n: int) -> None:
    """A custom id alone is the identity; without one content and occurrence are."""
    one, other = Entry("c" * 64, a, m), Entry("c" * 64, b, n)
    same = a == b and (a is not None or m == n)
    assert (one.key == other.key) == same
    assert 0 <= one.key < 2**64


def test_a_custom_id_is_no_hash_that_looks_like_it() -> None:
    """The two kinds of identity do not meet."""
    assert Entry("a").key != Entry("b", custom_id="a").key
    assert Entry("a").key != Entry("b", custom_id="a 1").key


def test_a_custom_id_may_be_any_text() -> None:
    """A lone surrogate is for the request's check to refuse."""
    assert Entry("a", custom_id="\ud800").key != Entry("a", custom_id="\ud801").key


def test_an_image_is_what_is_in_it(tmp_path: Path) -> None:
    """A file that has changed since is asked about anew; one that was moved is not."""
    png, other = b"\x89PNG\r\n\x1a\n1", b"\x89PNG\r\n\x1a\n2"
    (tmp_path / "a.png").write_bytes(png)
    (tmp_path / "b.png").write_bytes(png)
    before = content_hash(replace(REQUEST, images=[tmp_path / "a.png"]))
    assert content_hash(replace(REQUEST, images=[tmp_path / "b.png"])) == before
    assert content_hash(replace(REQUEST, images=[png])) == before
    (tmp_path / "a.png").write_bytes(other)
    assert content_hash(replace(REQUEST, images=[tmp_path / "a.png"])) != before
    assert content_hash(replace(REQUEST, images=[tmp_path / "nowhere.png"])) != before


def test_a_type_is_what_a_model_is_told_of_it() -> None:
    """The same in every process; another field makes it another request."""
    one, two = create_model("Kind", a=(int, ...)), create_model("Kind", a=(int, ...), b=(int, ...))
    hashes = [
        content_hash(replace(REQUEST, response_format=kind)) for kind in (one, create_model("Kind", a=(int, ...)), two)
    ]
    assert hashes[0] == hashes[1] != hashes[2]
