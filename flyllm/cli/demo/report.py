"""What the demo shows of a finished batch: who answered, and how one request found its way."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flyllm._routing.instance import InstanceSnapshot
from flyllm.cli.output import open_table
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, LLMResponse

_LONGEST_ERROR = 160
_LONGEST_PROMPT = 70


def instance_table(instances: Iterable[InstanceSnapshot], responses: Sequence[LLMResponse]) -> Table:
    """Return one row per instance: what it answered, how fast, and what failed there."""
    attempts = [attempt for response in responses for attempt in response.attempts]
    table = open_table("provider", "instance")
    table.add_column("answered", justify="right")
    table.add_column("median s", justify="right")
    table.add_column("failed attempts")
    for instance in instances:
        own = [attempt for attempt in attempts if attempt.instance_id == instance.id]
        seconds = [attempt.duration for attempt in own if attempt.success]
        shown = f"{median(seconds):.2f}" if seconds else "-"
        table.add_row(instance.provider, instance.name, str(len(seconds)), shown, _failures(own))
    return table


def print_summary(console: Console, responses: Sequence[LLMResponse], seconds: float) -> None:
    """Print how many requests were answered, and the reasons of those that were not, one line for each kind."""
    answered = sum(response.success for response in responses)
    again = sum(max(0, len(response.attempts) - 1) for response in responses)
    text = f"{answered} of {len(responses)} answered in {seconds:.1f} s; {again} attempts were made again elsewhere."
    console.print(text, style="bold green" if answered == len(responses) else "bold red")
    errors = Counter(f"{type(r.error).__name__}: {_shortened(str(r.error))}" for r in responses if r.error is not None)
    for reason, count in errors.most_common():
        console.print(f"{count} without an answer: {reason}", style="red")


def print_ledger(console: Console, requests: Sequence[GenerationRequest], responses: Sequence[LLMResponse]) -> None:
    """Print the attempts of the request that needed most to be answered, and what was said each time."""
    pairs = zip(requests, responses, strict=True)
    request, response = max(pairs, key=lambda pair: (pair[1].success, len(pair[1].attempts)))
    if len(response.attempts) < 2:
        console.print("No request had to: all first attempts were answered.")
        return
    console.print(f"> {_shortened(request.prompt, _LONGEST_PROMPT)}", style="bold")
    console.print(_attempt_table(response.attempts))
    for attempt in response.attempts:
        if attempt.error:
            console.print(f"  {attempt.number}. {_shortened(attempt.error)}", style="dim")


def _attempt_table(attempts: Iterable[Attempt]) -> Table:
    table = open_table("#", "instance", "outcome", "status", "waited", "took", "chosen because")
    for attempt in attempts:
        table.add_row(
            str(attempt.number),
            attempt.instance_name,
            Text(attempt.outcome, "green" if attempt.success else "red"),
            str(attempt.status_code or "-"),
            f"{attempt.waited:.2f} s",
            f"{attempt.duration:.2f} s",
            attempt.chosen_because,
        )
    return table


def _failures(attempts: Iterable[Attempt]) -> Text:
    kinds = Counter((attempt.outcome, attempt.status_code) for attempt in attempts if not attempt.success)
    return Text(", ".join(f"{n} × {kind} {status or ''}".rstrip() for (kind, status), n in kinds.items()), "red")


def _shortened(text: str, longest: int = _LONGEST_ERROR) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
