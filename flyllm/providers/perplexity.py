"""Adapter for Perplexity's Agent API, which replaced its Sonar chat completions on 2026-09-27.

The Sonar names go on working. Source of the mapping: Perplexity's own migration skill,
github.com/perplexityai/api-platform-developers, skills/migrate-sonar-to-agent-api/references (models-and-presets.md,
request-mapping.md; 2026-10). Other clients map `sonar-pro` to the cheaper preset "fast" (Fabric 1.4.528) and
`sonar-deep-research` to the dearer "high" (an overview page of Perplexity's); a `preset` parameter overrules.
A preset carries the web search that every Sonar model did and a bare model does not. The model stays pinned, as
TrueFoundry's gateway does: a preset alone may hand the prompt to a third party's model.
"""

from dataclasses import replace
from typing import Any

from flyllm.errors import ModelNotFoundError
from flyllm.providers import responses_body
from flyllm.providers.base import ProviderRequest
from flyllm.providers.openai_responses import OpenAIResponses
from flyllm.providers.payload import mapping
from flyllm.providers.perplexity_models import PRESETS, SONAR, SONAR_PRESETS
from flyllm.types import ModelInfo

_FILTERS = (
    "search_domain_filter",
    "search_recency_filter",
    "search_after_date_filter",
    "search_before_date_filter",
    "last_updated_after_filter",
    "last_updated_before_filter",
)


class PerplexityAgent(OpenAIResponses):
    """The Agent API: the Responses shape but for a few fields. It refuses any field it does not know."""

    def body(self, request: ProviderRequest) -> dict[str, Any]:
        """Return the wire body of `request`, Sonar's names of models and search parameters translated."""
        # Instructions would replace the preset's own, which tell it how to search; a system message adds to them.
        plain = replace(request, response_format=None)
        built = responses_body.body(plain, self.settings.api, instructions=False)
        if request.response_format is not None:  # it echoes `text.format` but takes only this
            built["response_format"] = dict(request.response_format)
        return _with_search(_with_engine(built))

    def list_models(self, timeout: float) -> list[ModelInfo]:
        """Return the live list, or the documented names where the endpoint has none."""
        try:
            return super().list_models(timeout)
        except ModelNotFoundError:
            spec = self.settings.spec
            return [ModelInfo(id=name, provider=spec.name) for name in spec.static_models]


def _with_engine(built: dict[str, Any]) -> dict[str, Any]:
    model = built["model"]
    if model in SONAR_PRESETS:
        return {"preset": SONAR_PRESETS[model], **built, "model": SONAR}
    if model in PRESETS:
        del built["model"]
        return {"preset": model, **built}
    return built


def _with_search(built: dict[str, Any]) -> dict[str, Any]:
    """Move Sonar's search parameters, which this API refuses, to its search tool."""
    options = mapping(built.pop("web_search_options", None))
    if "num_search_results" in built:
        options["max_results"] = built.pop("num_search_results")
    filters = {name: built.pop(name) for name in _FILTERS if name in built}
    if filters:
        options["filters"] = filters
    if options:
        tools = built.get("tools", [])
        own: dict[str, Any] = next((tool for tool in tools if tool.get("type") == "web_search"), {})
        others = [tool for tool in tools if tool is not own]
        built["tools"] = [*others, {"type": "web_search", **options, **own}]
    return built
