"""Parameters as they stand in the body of a request, the one that depends on the model included."""

from dataclasses import replace
from typing import Any

from flyllm.providers.base import ApiSpec, ProviderRequest
from flyllm.providers.effort import PARAM, effort_of, merged
from flyllm.providers.params import wire_params


def body_params(request: ProviderRequest, api: ApiSpec) -> dict[str, Any]:
    """Return the parameters of `request` as they stand in a body; those under a wire's own names win."""
    word = request.params.get(PARAM)
    if word is None:
        return wire_params(request.params, api.params)
    others = wire_params({name: value for name, value in request.params.items() if name != PARAM}, api.params)
    effort = effort_of(api.efforts, request.model) if PARAM in api.params else None
    return others if effort is None else merged(effort.said(word), others)


def for_model(api: ApiSpec, model: str) -> ApiSpec:
    """Return `api` as it is for `model`: without `reasoning_effort` where that one does not take it."""
    if PARAM not in api.params or effort_of(api.efforts, model) is not None:
        return api
    return replace(api, params={name: wire for name, wire in api.params.items() if name != PARAM})
