"""The HTTP client of SDKs that send through a relay."""

from types import ModuleType
from typing import Any

import httpx
import httpx2
import pytest

from flyllm.providers.direct_client import direct_client

URL = "https://api.example.com/v1/chat"
each_library = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])


class Answering:
    """What a client needs of a relay: keeps the requests it is handed and answers with one status."""

    def __init__(self, library: ModuleType, status: int) -> None:
        self.library, self.status = library, status
        self.handed: list[Any] = []

    def handle_request(self, request: Any) -> Any:
        self.handed.append(request)
        return self.library.Response(self.status, headers={"location": "/other", "set-cookie": "a=b"}, content=b"{}")


def client(library: ModuleType, status: int = 200, **options: Any) -> tuple[Any, list[Any]]:
    relay: Any = Answering(library, status)
    return direct_client(library, relay, **options), relay.handed


@each_library
def test_what_is_handed_over_is_what_the_sdk_said(library: ModuleType) -> None:
    """Nothing of a client's own is merged into it but what HTTP needs."""
    made, handed = client(library)
    made.send(made.build_request("POST", URL, headers={"X-One": "1"}, json={"a": 1}, timeout=3.0), stream=True)
    (request,) = handed
    assert (request.method, str(request.url), request.read()) == ("POST", URL, b'{"a":1}')
    assert dict(request.headers) == {
        "host": "api.example.com",
        "x-one": "1",
        "content-length": "7",
        "content-type": "application/json",
    }


@each_library
@pytest.mark.parametrize("status", [200, 307, 401, 429])
def test_every_reply_is_handed_back_after_one_request(library: ModuleType, status: int) -> None:
    """A redirect is not followed, and there is nobody to log in as."""
    made, handed = client(library, status)
    response = made.request("GET", URL)
    assert (response.status_code, response.content) == (status, b"{}")
    assert handed == [response.request]


@each_library
def test_a_cookie_is_not_kept(library: ModuleType) -> None:
    """It would tie a request to another one."""
    made, handed = client(library, 429)
    for _ in range(2):
        with made.stream("POST", URL, content=b"{}") as response:
            assert response.read() == b"{}"
    assert ["cookie" in request.headers for request in handed] == [False, False]


@each_library
def test_a_query_is_that_of_the_url_and_of_the_parameters(library: ModuleType) -> None:
    """SDKs give empty parameters where they have none; httpx would drop the URL's for them."""
    made, _ = client(library)
    assert str(made.build_request("GET", URL, params={"page": "2"}).url) == URL + "?page=2"
    assert str(made.build_request("GET", URL + "?key=1", params={}).url) == URL + "?key=1"


@each_library
def test_a_base_url_and_headers_of_all_requests(library: ModuleType) -> None:
    """A request's own headers win."""
    made, _ = client(library, base_url="https://api.example.com", headers={"x-one": "1", "x-two": "2"})
    request = made.build_request("GET", "/v1/chat", headers={"x-two": "3"})
    assert (str(request.url), request.headers["x-one"], request.headers["x-two"]) == (URL, "1", "3")


@each_library
def test_it_is_a_client_of_the_sdk_s_library(library: ModuleType) -> None:
    """SDKs check the class."""
    assert isinstance(client(library)[0], library.Client)
