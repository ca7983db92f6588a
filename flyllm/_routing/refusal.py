"""Why nobody can serve a request: one clear error, before anything is sent."""

from collections.abc import Sequence

from flyllm._routing.instance import Instance, InstanceState
from flyllm._routing.route import Route
from flyllm.errors import LLMError, NoInstanceError
from flyllm.providers.capabilities import LOSSES, spoken
from flyllm.providers.registry import REGISTRY


def refusal(
    route: Route, states: Sequence[InstanceState], eligible: Sequence[InstanceState], now: float
) -> LLMError | None:
    """Return the error for a request that none of `states` can serve; None where one of the `eligible` may."""
    if not eligible:
        return _nobody(route, states)
    # Where every key, account or model is refused, waiting is vain: its owner has to act.
    whys = [s.breaker.why for s in eligible if s.breaker.why is not None and s.breaker.refuses(now)]
    if len(whys) < len(eligible):
        return None
    last = whys[-1]
    wait = min(s.breaker.ready_at(alone=False) for s in eligible) - now
    return type(last)(
        f"{last} (no instance that could serve the request is left; the next is tried again in {wait:.0f} s)",
        provider=last.provider,
        model=last.model,
        instance=last.instance,
        status_code=last.status_code,
        code=last.code,
        retry_after=wait,
    )


def _nobody(route: Route, states: Sequence[InstanceState]) -> NoInstanceError:
    serving = [s for s in states if route.serves(s.instance)]
    if not states:
        return NoInstanceError("the manager has no instances: add one with add_instance()")
    if not serving:
        tasks = sorted({task for s in states for task in s.instance.tasks})
        known = ", ".join(tasks) or "none"
        return NoInstanceError(f"no instance supports task '{route.task}'. Supported tasks: {known}")
    suited = [s for s in serving if route.suits(s.instance)]
    if not suited:
        return NoInstanceError(_unable(route, serving))
    if not any(s.enabled for s in suited):
        what = "all instances" if route.task is None else f"all instances that support task '{route.task}'"
        names = ", ".join(s.name for s in suited)
        return NoInstanceError(f"{what} are disabled: {names}. Enable one with manager.enable(...)")
    return NoInstanceError("every instance that could serve the request has refused it")


def _unable(route: Route, serving: Sequence[InstanceState]) -> str:
    who = "no instance" if route.task is None else f"no instance that supports task '{route.task}'"
    able = [spec.name for spec in REGISTRY.values() if any(route.needs <= api.can for api in spec.apis)]
    return (
        f"{who} can {spoken(route.needs)}. {_left_out(route, serving)}Providers that can: {', '.join(able) or 'none'}"
    )


def _left_out(route: Route, serving: Sequence[InstanceState]) -> str:
    """Name those that their owner says are not able to, as the owner may be wrong."""
    mine = [s.instance for s in serving if route.needs <= s.instance.api.can]
    told = [f"{each.name} (cannot = {_quoted(_lacks(route, each))})" for each in mine]
    return f"Left out by their settings: {', '.join(told)}. " if told else ""


def _lacks(route: Route, instance: Instance) -> list[str]:
    return [word for word in instance.cannot if route.needs & LOSSES[word]]


def _quoted(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"
