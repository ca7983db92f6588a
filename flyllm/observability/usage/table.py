"""The table of tokens that FlyLLM printed, for its users."""

from collections.abc import Mapping, Sequence

from flyllm.types import TokenUsage

_LAYOUT = "{:<5} {:<15} {:<30} {:<15} {:<17} {:<15}"
_COST = " {:<12}"


def usage_table(
    rows: Sequence[tuple[int, str, str, TokenUsage]], costs: Mapping[int, float | None] | None = None
) -> str:
    """Return FlyLLM's table of (id, provider, model, usage).

    With a column of `costs` (by id, None where not known) at its end, where any is known.
    """
    known = any(cost is not None for cost in (costs or {}).values())
    head = _LAYOUT.format("ID", "Provider", "Model", "Prompt Tokens", "Completion Tokens", "Total Tokens")
    lines = [head + (_COST.format("Cost") if known else "")]
    for number, provider, model, usage in rows:
        tokens = (usage.prompt_tokens or 0, usage.completion_tokens or 0, usage.total_tokens or 0)
        cost = _COST.format(_amount((costs or {}).get(number))) if known else ""
        lines.append(_LAYOUT.format(number, provider, model, *tokens) + cost)
    rule = "-" * (108 if known else 95)
    return "\n".join(["--- Token Usage Statistics ---", lines[0].rstrip(), rule, *(x.rstrip() for x in lines[1:])])


def _amount(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:.6f}"
