"""Transport failures of both HTTP libraries become the same errors; clients are made once, per shard, per process."""

import errno
import os
import threading
from typing import Any

import httpx
import httpx2
import pytest

from flyllm._secret import Secret
from flyllm.errors import LLMError, ParseError, RequestError
from flyllm.providers.base import ProviderSettings
from flyllm.providers.registry import provider_spec
from flyllm.providers.transport import Client, exchange, guard

LIBRARIES = [pytest.param(httpx, id="httpx"), pytest.param(httpx2, id="httpx2")]
SPEC = provider_spec("openai")
SETTINGS = ProviderSettings(SPEC, SPEC.apis[0], Secret("k-0123456789"), "http://127.0.0.1:1/v1")


def wrapped(exc: Exception) -> Exception:
    """As an SDK hands it on."""
    outer = RuntimeError("Connection error.")
    outer.__cause__ = exc
    return outer


def translated(exc: Exception) -> LLMError:
    def fail() -> None:
        raise exc

    with pytest.raises(LLMError) as caught:
        exchange(SETTINGS, fail)
    return caught.value


@pytest.mark.parametrize("wrap", [wrapped, lambda exc: exc])
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("name", "sent", "local"),
    [
        ("ConnectTimeout", False, False),
        ("ConnectError", False, False),
        ("ReadTimeout", True, False),
        ("WriteTimeout", True, False),
        ("ReadError", True, False),
        ("WriteError", True, False),
        ("CloseError", True, False),
        ("RemoteProtocolError", True, False),
        ("DecodingError", True, False),
    ],
)
def test_both_libraries_failures_are_told_apart(library: Any, name: str, sent: bool, local: bool, wrap: Any) -> None:
    """By name, for the two share no classes; whether the request may have arrived decides what may be retried."""
    error = translated(wrap(getattr(library, name)("boom")))
    assert isinstance(error, RequestError)
    assert (error.sent, error.local) == (sent, local)
    assert error.provider == "openai"
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL])
def test_running_out_of_files_is_this_process_fault(number: int) -> None:
    """However deep it lies."""
    error = translated(wrapped(wrapped(OSError(number, os.strerror(number)))))
    assert isinstance(error, RequestError)
    assert (error.sent, error.local) == (False, True)


def test_a_bare_connection_error_was_not_sent() -> None:
    """As the ollama SDK raises it, its cause stripped."""
    error = translated(ConnectionError("Failed to connect"))
    assert isinstance(error, RequestError)
    assert not error.sent


def test_our_own_errors_pass_and_get_the_provider() -> None:
    """With their text and class."""
    error = translated(ParseError("odd"))
    assert (type(error), str(error), error.provider) == (ParseError, "odd", "openai")


def test_no_error_shows_the_key() -> None:
    """Neither from an SDK's text nor while a stream is read."""
    error = translated(ValueError("Illegal header value b'Bearer k-0123456789'"))
    assert "k-0123456789" not in str(error)

    def pieces() -> Any:
        yield 1
        raise ValueError("Bearer k-0123456789")

    source = guard(SETTINGS, pieces())
    assert next(source) == 1
    with pytest.raises(ParseError) as caught:
        next(source)
    assert "k-0123456789" not in str(caught.value)
    assert caught.value.__context__ is None


def test_an_interruption_is_not_translated() -> None:
    """Ctrl-C is nobody's failed request."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exchange(SETTINGS, interrupt)


def client() -> Client[Any]:
    return Client(lambda http: object(), httpx2, 8)


def in_threads(count: int, work: Any) -> list[Any]:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(work())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_one_client_serves_all_threads() -> None:
    """Racing for it makes no second one."""
    shared = client()
    assert len({id(each) for each in in_threads(20, shared.get)}) == 1
    shared.close()


def test_a_closed_adapter_starts_anew() -> None:
    """Closing drops the connections, not the adapter; twice is harmless."""
    shared = client()
    first = shared.get()
    shared.close()
    shared.close()
    assert shared.get() is not first
    shared.close()


def test_a_forked_child_does_not_use_its_parents_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would deliver the parent's answers."""
    shared = client()
    first = shared.get()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert shared.get() is not first
    shared.close()
