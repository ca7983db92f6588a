"""The scenarios: the rows of RELIABILITY.md's table of promises, as data.

W threads, 4 instances, service of 1 s on average. Seconds are the world's, which runs faster than ours; the
numbers of requests keep both processes' processor below 60 % of a core on a machine of two slow ones.
"""

import math
from dataclasses import replace

from benchmarks.goodput.client import ClientSettings
from benchmarks.goodput.scenario import Bar, Scenario
from benchmarks.goodput.world import Outage, Provider, RateLimit, flapping

W = 20
PER_INSTANCE = W // 4
N = 47 * W
"""Requests of a batch: the unavoidable tail costs about 5 % of the optimum (RELIABILITY.md, section 5)."""

_WELL = Provider()
_CLIENT = ClientSettings(W, {"max_concurrency": PER_INSTANCE})
_HANG_TIMEOUT = 30.0


def one_of_four(*outages: Outage) -> tuple[Provider, ...]:
    """Return four providers, the first with these outages."""
    return (Provider(outages=outages), _WELL, _WELL, _WELL)


def _four(provider: Provider) -> tuple[Provider, ...]:
    return (provider,) * 4


def _ratio(least: float) -> Bar:
    return Bar("ratio", least=least)


def _wire(most: float) -> Bar:
    return Bar("wire", most=most)


_NONE_LOST = (Bar("lost", most=0), Bar("twice", most=0))


def _fault_free() -> list[Scenario]:
    small = Scenario(
        "fault-free",
        "no faults, n = 47 W",
        _four(_WELL),
        _CLIENT,
        N,
        speed=5.0,
        bars=(_ratio(0.92), *_NONE_LOST),
        model=".950",
    )
    return [
        replace(
            small,
            name="machine",
            title="the adapters alone, for comparison",
            runner="bare",
            bars=(),
            model="",
            seeds=2,
        ),
        small,
        replace(small, name="fault-free-100", title="no faults, n = 100 W", requests=100 * W, seeds=1, in_quick=False),
    ]


def _one_bad() -> list[Scenario]:
    failing = Outage(0, math.inf, "error")
    fast = Scenario(
        "fails-fast",
        "1 of 4 fails fast, always",
        one_of_four(failing),
        _CLIENT,
        N,
        speed=5.0,
        bars=(_ratio(0.93), *_NONE_LOST, _wire(1.02)),
        model=".960, 1.01x",
    )
    hang = Scenario(
        "hangs",
        "1 of 4 hangs, timeout 30 s, T* = 62 s",
        one_of_four(Outage(0, math.inf, "hang")),
        replace(_CLIENT, attempt_timeout=_HANG_TIMEOUT),
        N,
        bars=(_ratio(0.62), *_NONE_LOST),
        model=".66",
        seeds=3,
    )
    return [
        fast,
        hang,
        replace(
            hang,
            name="hangs-long",
            title="1 of 4 hangs, timeout 30 s, T* = 417 s",
            requests=312 * W,
            speed=4.0,
            bars=(_ratio(0.93), *_NONE_LOST),
            model=".96",
            seeds=1,
            in_quick=False,
        ),
    ]


def _passing() -> list[Scenario]:
    rows = (
        ("flaps", "1 of 4 flaps, 500s 10 s in 20", flapping(10, 600, "error"), 0.80, ".85"),
        ("down-first", "1 of 4 refuses for the first 20 s", (Outage(0, 20, "refuse"),), 0.85, ".89"),
        ("storm-first", "1 of 4 answers 429 for the first 30 s", (Outage(0, 30, "reject"),), 0.80, ".85"),
    )
    return [
        Scenario(name, title, one_of_four(*outages), _CLIENT, N, bars=(_ratio(bar), *_NONE_LOST), model=model)
        for name, title, outages, bar, model in rows
    ]


def _all_down() -> list[Scenario]:
    bars = (*_NONE_LOST, _wire(1.10), Bar("late", most=10.0))
    kinds = (("refuse", "refused"), ("error", "500"), ("hang", "hanging, timeout 30 s"))
    return [
        Scenario(
            f"all-down-{kind}",
            f"all {word} from 10 s to 70 s",
            _four(Provider(outages=(Outage(10, 70, kind),))),  # type: ignore[arg-type]
            replace(_CLIENT, attempt_timeout=_HANG_TIMEOUT),
            N,
            speed=12.0,
            seeds=3,
            bars=bars,
            model="+4..8 s, 1.05-1.08x",
        )
        for kind, word in kinds
    ]


def _errors() -> list[Scenario]:
    rows = ((10, 0.90, ".94"), (20, 0.87, ".92"), (30, 0.85, ".91"), (50, 0.5, ".80"))
    return [
        Scenario(
            f"errors-{percent}",
            f"{percent} % errors everywhere, 4 attempts",
            _four(Provider(error_rate=percent / 100)),
            replace(_CLIENT, max_retries=3),
            N,
            speed=8.0,
            bars=(_ratio(ratio), *_NONE_LOST, _wire(round(1 / (1 - percent / 100) + 0.03, 3))),
            model=f"{model}, {sum((percent / 100) ** n for n in range(4)):.2f}x",
        )
        for percent, ratio, model in rows
    ]


def _ceilings() -> list[Scenario]:
    rows = ((3, 32, 47, 5.0, 5), (10, 64, 47, 2.0, 3), (40, 256, 47, 0.5, 1))
    return [
        Scenario(
            f"ceiling-{ceiling}",
            f"undeclared ceiling of {ceiling} each, W = {workers}",
            _four(Provider(ceiling=ceiling)),
            ClientSettings(workers),
            rounds * 4 * ceiling,
            speed=speed,
            seeds=seeds,
            bars=(_ratio(0.92), *_NONE_LOST, *([_wire(1.22)] if ceiling > 3 else [])),
            model=".95-.98, 1.22x" if ceiling > 3 else ".99, 1.53x",
            in_quick=ceiling < 40,
        )
        for ceiling, workers, rounds, speed, seeds in rows
    ]


def _rates() -> list[Scenario]:
    secret = RateLimit(120, 2.0, charge_refused=True)
    minute = RateLimit(60, 1.0, kind="window")
    slices = RateLimit(4, 4.0)
    none_refused = Bar("refused", most=0)
    return [
        Scenario(
            "rpm-undeclared",
            "undeclared 120 rpm, refusals count",
            _four(Provider(rate=secret)),
            ClientSettings(W),
            1440,
            speed=10.0,
            seeds=3,
            bars=(_ratio(0.85), *_NONE_LOST, _wire(1.59)),
            model=".88-.92, 1.59x",
        ),
        Scenario(
            "rpm-minute",
            "declared 60 rpm, counted over a minute",
            _four(Provider(service=0.5, rate=minute)),
            ClientSettings(W, {"rpm": 60}),
            720,
            speed=20.0,
            seeds=3,
            bars=(*_NONE_LOST, none_refused),
            model="no 429",
        ),
        Scenario(
            "rpm-second",
            "declared 240 rpm, counted over a second",
            _four(Provider(service=0.5, rate=slices)),
            ClientSettings(W, {"rpm": 240}),
            1600,
            speed=10.0,
            seeds=3,
            bars=(_ratio(0.90), *_NONE_LOST),
            model=".97",
        ),
    ]


def _speeds() -> list[Scenario]:
    providers = tuple(Provider(service=service) for service in (0.5, 1.0, 2.0, 4.0))
    client = ClientSettings(W // 2, {"max_concurrency": PER_INSTANCE}, strategy="lowest_latency")
    fast = Scenario(
        "speeds",
        "1:2:4:8, W half the capacity, lowest_latency",
        providers,
        client,
        100 * W // 2,
        speed=3.0,
        bars=(_ratio(0.85), *_NONE_LOST),
        model=".88-.91",
    )
    lru = replace(client, strategy="lru")
    return [
        fast,
        replace(
            fast,
            name="speeds-lru",
            title="the same with lru, for comparison",
            client=lru,
            bars=(),
            model=".36",
            seeds=1,
        ),
    ]


def _open_loop() -> list[Scenario]:
    return [
        Scenario(
            "arrivals",
            "40 per s, deadline 30 s, all 500 from 10 s to 70 s",
            _four(Provider(outages=(Outage(10, 70, "error"),))),
            ClientSettings(1200, {"max_concurrency": 15}),
            40 * 85,
            speed=3.0,
            seeds=1,
            bars=(Bar("wire_down", most=0.2), Bar("recovery", most=7.0), Bar("in_time")),
            model=".03-.16; +1.6..3.5 s",
            runner="open",
            arrivals=40.0,
            in_quick=False,
        )
    ]


def _own_clock(rows: list[Scenario]) -> list[Scenario]:
    """Return some of `rows` once more with flyllm's constants as they are, and one in real time."""
    by_name = {row.name: row for row in rows}
    own = [
        replace(by_name[name], name=f"{name}-own", own_clock=True, bars=(), seeds=2, model="", in_quick=False)
        for name in ("fails-fast", "errors-20")
    ]
    fast = by_name["fails-fast"]
    return [*own, replace(fast, name="fails-fast-real", speed=1.0, seeds=1, in_quick=False)]


def all_scenarios() -> list[Scenario]:
    """Return every scenario, in the order of the table."""
    rows = [
        *_fault_free(),
        *_one_bad(),
        *_passing(),
        *_all_down(),
        *_open_loop(),
        *_errors(),
        *_ceilings(),
        *_rates(),
        *_speeds(),
    ]
    return [*rows, *_own_clock(rows)]
