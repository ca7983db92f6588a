"""What a request needs an API to be able to do."""

from collections.abc import Iterator, Mapping
from typing import Any

from flyllm.images import has_image_urls, has_images
from flyllm.providers.capabilities import FORCED_TOOLS, IMAGE_URLS, IMAGES, JSON, JSON_BESIDE_TOOLS, SCHEMAS, TOOLS
from flyllm.request import GenerationRequest
from flyllm.structured import Form

NOTHING: frozenset[str] = frozenset()


def needs_of(request: GenerationRequest, form: Form | None) -> frozenset[str]:
    """Return the words of `capabilities` for what `request` and the `form` of its answer need."""
    if form is None and not request.tools and not request.messages and not request.images:
        return NOTHING
    return frozenset(_needs(request, form))


def _needs(request: GenerationRequest, form: Form | None) -> Iterator[str]:
    if form is not None and form.kind == "json_schema":
        yield SCHEMAS
    elif form is not None and form.kind == "json_object":
        yield JSON
    if request.tools:
        yield TOOLS
        if form is not None and form.kind in ("json_schema", "json_object"):
            yield JSON_BESIDE_TOOLS
        if request.tool_choice not in (None, "auto", "none"):
            yield FORCED_TOOLS
    elif any(_has_calls(message) for message in request.messages or ()):
        yield TOOLS

    if has_images(request):
        yield IMAGES
        if has_image_urls(request):
            yield IMAGE_URLS


def _has_calls(message: Mapping[str, Any]) -> bool:
    return message.get("role") == "tool" or bool(message.get("tool_calls"))
