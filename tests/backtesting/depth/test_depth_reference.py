"""The kernel against the reference that is written from docs/depth.md: random events, a maker that does anything."""

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tradingd.backtesting.depth import engine
from tradingd.backtesting.depth.events import DepthEvents
from tradingd.backtesting.depth.run import settings_for
from tradingd.backtesting.depth.settings import DepthSettings, Queue
from tradingd.kernels.depth_book import KIND_NAMES
from tradingd.kernels.depth_records import FILL

from . import reference
from .chaos import Chaos, chaos

TICKS = {0.5: Fraction(1, 2), 0.01: Fraction(1, 100)}
LOTS = {1.0: Fraction(1), 0.001: Fraction(1, 1000)}
SIDES = ("buy", "sell")


def one_of(rng: np.random.Generator, *choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def random_events(rng: np.random.Generator, count: int) -> DepthEvents:
    """A book of some levels around a price that walks; sizes in halves of a lot or whole ones, times that repeat."""
    whole = bool(rng.integers(2))
    gaps = rng.choice((0, 0, 1, 5, 40), count)
    event_ns = 1_000 + np.cumsum(gaps)
    received_ns = event_ns + int(one_of(rng, 0, 7, 60)) + rng.integers(0, 30, count) * int(rng.integers(2))
    middle = 50 + np.cumsum(rng.choice((-1, 0, 0, 0, 0, 1), count))
    kind = rng.choice((0, 1, 2, 3, 4), count, p=(0.38, 0.38, 0.11, 0.11, 0.02)).astype(np.uint8)
    offset = rng.integers(-1, 5, count)
    ticks = np.where(np.isin(kind, (0, 3)), middle - offset, middle + offset)
    lots = rng.integers(0, 8, count).astype(float) if whole else rng.integers(0, 16, count) / 2
    lots[kind == 4] = 0.0
    return DepthEvents.ordered(event_ns, received_ns, kind, np.where(kind == 4, 0, ticks), lots)


def random_settings(rng: np.random.Generator) -> DepthSettings:
    fees = {"maker_rate": one_of(rng, 0.0, -0.0005, 0.001), "taker_rate": 0.0007, "per_unit": one_of(rng, 0.0, 0.01)}
    latencies = (0, 3, 20, 100)
    return settings_for(
        "chaos",
        instrument={
            "tick_size": one_of(rng, *TICKS),
            "lot_size": one_of(rng, *LOTS),
            "multiplier": one_of(rng, 1.0, 50.0),
            "negative_prices": bool(rng.integers(2)),
            "fees": fees | {"minimum": one_of(rng, 0.0, 0.05)},
        },
        venue={
            "entry_latency_ns": one_of(rng, *latencies),
            "response_latency_ns": one_of(rng, *latencies),
            "queue": one_of(rng, *Queue),
            "partial_fills": bool(rng.integers(2)),
        },
        account={"unit": one_of(rng, "0.01", "0.000001")},
        step_ns=one_of(rng, 0, 1, 13, 50),
        sample_ns=one_of(rng, 1, 30, 1000),
    )


def reference_run(s: DepthSettings, events: DepthEvents, seed: int, calm: int) -> reference.Run:
    i, v = s.instrument, s.venue
    terms = reference.Terms(
        TICKS[i.tick_size], LOTS[i.lot_size], i.multiplier, s.account.units_per_one, i.fees.maker_rate,
        i.fees.taker_rate, i.fees.per_unit, i.fees.minimum, i.negative_prices, v.partial_fills,
        {"risk_averse": 0, "power_1": 1, "power_2": 2, "power_3": 3}[v.queue.value], v.entry_latency_ns,
        v.response_latency_ns, s.step_ns, s.sample_ns, s.account.balance_units,
    )  # fmt: skip
    columns = (events.ts_event_ns, events.ts_received_ns, events.kind, events.ticks, events.lots)
    rows = [(e, r, KIND_NAMES[k], t, size) for e, r, k, t, size in zip(*(c.tolist() for c in columns), strict=True)]
    run = reference.Run(terms, rows, Chaos(seed, calm))
    run.run()
    return run


def fills_of(run: reference.Run) -> np.ndarray[Any, Any]:
    rows = [f | {"side": SIDES.index(f["side"])} for f in run.fills]
    return np.array([tuple(row[name] for name in FILL.names or ()) for row in rows], FILL)


def check(seed: int, count: int) -> reference.Run:
    rng = np.random.default_rng(seed)
    s, events, calm = random_settings(rng), random_events(rng, count), int(rng.integers(4))
    expected = reference_run(s, events, seed, calm)
    done = engine.replay(s, events, chaos.instantiate({"seed": seed, "calm": calm}))
    assert done.counts == expected.counts
    assert done.fills.tolist() == fills_of(expected).tolist()
    names = ("ts_ns", "position", "balance", "equity")
    assert [tuple(x[n] for n in names) for x in expected.samples] == done.samples[list(names)].tolist()
    marks = [np.nan if x["mark"] is None else x["mark"] for x in expected.samples]
    np.testing.assert_array_equal(done.samples["mark"], marks)
    return expected


@given(st.integers(0, 2**31 - 1), st.integers(1, 400))
@settings(max_examples=150)
def test_the_kernel_agrees_with_the_reference(seed: int, count: int) -> None:
    run = check(seed, count)
    event(f"fills: {min(run.counts['fills'], 3)}")


@given(st.integers(0, 2**31 - 1), st.integers(2, 300), st.data())
@settings(max_examples=60)
def test_what_comes_later_changes_nothing(seed: int, count: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    s, events = random_settings(rng), random_events(rng, count)
    cut = data.draw(st.integers(1, count))
    part = DepthEvents(events.rows[:cut])
    last_ns = part.ts_event_ns[-1]
    known, all_of_it = (engine.replay(s, e, chaos.instantiate({"seed": seed})).fills for e in (part, events))
    assert known[known["ts_ns"] < last_ns].tolist() == all_of_it[all_of_it["ts_ns"] < last_ns].tolist()


def test_the_random_worlds_hold_what_they_should() -> None:
    seen: Counter[str] = Counter()
    for seed in range(60):
        run = check(seed, 300)
        seen.update({name: count for name, count in run.counts.items() if count})
        seen.update("maker" if fill["maker"] else "taker" for fill in run.fills)
        seen.update("queued" for fill in run.fills if fill["queue"] > 0)
        seen.update("turn" for fill in run.fills if fill["position"] * (fill["position"] - fill["lots"]) < 0)
    for name in ("filled", "canceled", "too_late", "expired", "rejected", "maker", "taker", "queued", "turn"):
        assert seen[name] >= 10, (name, seen)


@pytest.mark.parametrize("room", [1, 2, 64])
def test_rooms_that_grow_change_nothing(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FILLS_ROOM", room)
    monkeypatch.setattr(engine, "ORDERS_ROOM", 4)
    for seed in range(20):
        check(seed, 300)
