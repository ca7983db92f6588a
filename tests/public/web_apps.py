"""One web application three times, as its users would write it: `/answer` streams, `/in-flight` counts."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

from flyllm import LLMError, LLMManager
from flyllm.sse import CONTENT_TYPE, HEADERS, server_sent_events

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PROMPT = "Tell me."


def manager_of(url: str) -> LLMManager:
    """Return a manager with one instance at `url`."""
    builder = LLMManager.builder().add_instance("openai", "gpt-4o-mini", "k-0123456789abcdef")
    return builder.custom_endpoint(url).build()


def in_flight(manager: LLMManager) -> str:
    return str(manager.instances[0].in_flight)


def flask_app(manager: LLMManager) -> "WSGIApplication":
    from flask import Flask, Response

    app = Flask(__name__)

    @app.get("/answer")
    def answer() -> Response:
        try:
            stream = manager.generate_stream(PROMPT)
        except LLMError as error:
            return Response(type(error).__name__, status=503)
        return Response(server_sent_events(stream), content_type=CONTENT_TYPE, headers=HEADERS)

    app.add_url_rule("/in-flight", view_func=lambda: in_flight(manager), endpoint="in-flight")
    return app


def django_app(manager: LLMManager) -> "WSGIApplication":
    """Django's settings are the process's, so a view gets its manager from the request."""
    from django.conf import settings  # type: ignore[import-untyped]
    from django.core.handlers.wsgi import WSGIHandler  # type: ignore[import-untyped]

    if not settings.configured:
        settings.configure(ROOT_URLCONF=_django_urls(), ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="k")
    handler = WSGIHandler()
    return lambda environ, start: handler({**environ, "manager": manager}, start)


def _django_urls() -> Any:
    from django.http import (  # type: ignore[import-untyped]
        HttpRequest,
        HttpResponse,
        HttpResponseBase,
        StreamingHttpResponse,
    )
    from django.urls import path  # type: ignore[import-untyped]

    def answer(request: HttpRequest) -> HttpResponseBase:
        try:
            stream = request.environ["manager"].generate_stream(PROMPT)
        except LLMError as error:
            return HttpResponse(type(error).__name__, status=503)
        return StreamingHttpResponse(server_sent_events(stream), content_type=CONTENT_TYPE, headers=HEADERS)

    def count(request: HttpRequest) -> HttpResponseBase:
        return HttpResponse(in_flight(request.environ["manager"]))

    return (path("answer", answer), path("in-flight", count))


def bare_app(manager: LLMManager) -> "WSGIApplication":
    """Plain WSGI, with a referee between it and the server."""

    def app(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/in-flight":
            start("200 OK", [("Content-Type", "text/plain")])
            return [in_flight(manager).encode()]
        try:
            stream = manager.generate_stream(PROMPT)
        except LLMError as error:
            start("503 Service Unavailable", [("Content-Type", "text/plain")])
            return [type(error).__name__.encode()]
        start("200 OK", [("Content-Type", CONTENT_TYPE), *HEADERS.items()])
        return server_sent_events(stream)

    return validator(app)


def flask_app_at(url: str) -> "WSGIApplication":
    """Return the Flask application for a server that is a process of its own."""
    return flask_app(manager_of(url))


APPS: dict[str, Callable[[LLMManager], "WSGIApplication"]] = {
    "flask": flask_app,
    "django": django_app,
    "bare": bare_app,
}
