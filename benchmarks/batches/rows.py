"""The rows of the table: what each part found, against its bar."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.batches.plan import Plan
from benchmarks.batches.resident import IS_TOLD
from benchmarks.batches.wall import Walls, measure_walls
from benchmarks.processes import Child

WALL_BARS = {32: 0.95, 128: 0.90, 256: 0.85}
MOST_GROWTH = 30.0
MOST_QUEUED = 1024.0
THREADS = 32
HTTP_THREADS = 64
SLEEPERS, SLEEP = 256, 0.05
HTTP_DELAY = 0.01
"""Seconds in which the server answers where memory is measured."""

_FORMS = {
    "request": "a GenerationRequest, beside the object itself",
    "text": "text, with the GenerationRequest made of it",
    "journal": "a GenerationRequest, with a journal",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; `bar` is its least or its most value, both None where nothing is promised."""

    what: str
    figure: float
    unit: str
    remark: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the bar is met; empty where there is none."""
        if self.least is None and self.most is None:
            return ""
        is_met = (self.least is None or self.figure >= self.least) and (self.most is None or self.figure <= self.most)
        return "met" if is_met else "MISSED"


def wall_row(walls: Walls) -> Row:
    """Return the row of one number of workers."""
    return Row(
        f"wall, {walls.workers} workers",
        walls.ratio,
        "",
        f"s: ideal {walls.ideal:.2f}, bare {walls.bare:.2f}, SDK {walls.wall('shared'):.2f}/{walls.wall('own'):.2f}, "
        f"flyllm {walls.wall('flyllm'):.2f}; CPU us: {1e6 * walls.cpu('shared'):.0f}/{1e6 * walls.cpu('own'):.0f}, "
        f"{1e6 * walls.cpu('flyllm'):.0f}",
        least=WALL_BARS[walls.workers],
    )


def walls(plan: Plan, server: Child, url: str) -> Iterator[Walls]:
    """Measure the wall times."""
    for workers in WALL_BARS:
        yield measure_walls(server, url, plan.walls, workers, plan.rounds)


def memory_rows(plan: Plan, url: str) -> Iterator[Row]:
    """Measure memory, where the system tells of it; the first row is of processor time as well."""
    if not IS_TOLD:
        return
    flow = _measured("flow", plan.flow, THREADS)
    yield _growth_row(f"memory, {plan.flow:,} requests", flow, f"engine alone, {THREADS} threads")
    journal = _measured("journalled", plan.journalled, THREADS)
    yield _growth_row(f"memory, {plan.journalled:,} journalled", journal, f"engine alone, {THREADS} threads")
    http = _measured("over_http", plan.over_http, HTTP_THREADS, url)
    yield _growth_row(f"memory, {plan.over_http:,} over HTTP", http, f"the openai SDK, {HTTP_THREADS} threads")
    for form, remark in _FORMS.items():
        found = _measured("queued", plan.queued, form)["bytes"]
        yield Row(f"memory of one queued, {form}", found, "B", f"{plan.queued:,} of {remark}", most=MOST_QUEUED)
    yield _processor_row("CPU, answers at once", flow["cpu"], f"engine alone, {THREADS} threads")
    yield _processor_row("CPU, the same journalled", journal["cpu"], "on no disk")


def processor_row(plan: Plan) -> Row:
    """Measure the processor time of the engine where most threads wait most of the time, as they do for providers."""
    found = _measured("processor", plan.processor, SLEEPERS, SLEEP)
    remark = f"engine alone, {SLEEPERS} threads; a plain pool of them takes {1e6 * found['pool']:.0f} us"
    return _processor_row(f"CPU, answers after {1000 * SLEEP:.0f} ms", found["cpu"], remark)


def _growth_row(what: str, found: dict[str, float], remark: str) -> Row:
    remark = f"{remark}; {found['resident'] / 1e6:.0f} MB before, {found['wall']:.0f} s"
    return Row(what, found["growth"] / 1e6, "MB", remark, most=MOST_GROWTH)


def _processor_row(what: str, seconds: float, remark: str) -> Row:
    return Row(what, 1e6 * seconds, "us", remark)


def _measured(what: str, *arguments: object) -> dict[str, float]:
    with Child("benchmarks.batches.measured", what, *arguments) as child:
        return child.hear()
