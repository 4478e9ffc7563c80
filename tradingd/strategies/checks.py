"""What every strategy has to keep, as functions that a test calls: `check_contract(my_strategy)`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tradingd.columns import BAR, F64, BarArray
from tradingd.strategies.contract import CompiledInstance, CompiledStrategy, PythonStrategy
from tradingd.strategies.run import Outs, StrategyRun

MINUTE_NS = 60_000_000_000
Strategy = CompiledStrategy | type[PythonStrategy]
Exits = Sequence[tuple[CompiledStrategy, Mapping[str, Any]]]


def bars_of_closes(closes: F64, spread: float = 0.0) -> BarArray:
    """1-minute bars that open at the close before, and reach `spread` beyond open and close."""
    bars = np.zeros(len(closes), BAR)
    bars["ts_open"] = np.arange(len(closes)) * MINUTE_NS
    bars["ts_close"] = bars["ts_open"] + MINUTE_NS
    bars["open"] = np.concatenate([closes[:1], closes[:-1]])
    bars["high"] = np.maximum(bars["open"], closes) + spread
    bars["low"] = np.minimum(bars["open"], closes) - spread
    bars["close"] = bars["vwap"] = closes
    bars["volume"], bars["trades"], bars["timeframe"] = 1.0, 1, 1
    return bars


def random_walk(count: int, seed: int = 1, start: float = 100.0) -> BarArray:
    """Bars of a random walk in steps of 0.01 that turn around at `start` +- 20."""
    steps = np.random.default_rng(seed).integers(-20, 21, count).cumsum() * 0.01
    return bars_of_closes(start + np.abs((steps + 20.0) % 80.0 - 40.0) - 20.0, 0.05)


def extreme_markets(count: int) -> dict[str, BarArray]:
    """Prices that are constant, zero, negative, tiny, huge, jumping, or alternating."""
    n = np.arange(count, dtype=np.float64)
    closes = {
        "constant": np.full(count, 0.1),
        "zero": np.zeros(count),
        "negative": -37.63 + 0.01 * (n % 7),
        "tiny": 1e-300 * (1.0 + n % 5),
        "huge": 1e300 * (1.0 + n % 5),
        "jump": np.where(n < count // 2, 1.0, 1e12),
        "alternating": np.where(n % 2 == 0, 1e9, -1e9),
    }
    return {name: bars_of_closes(values) for name, values in closes.items()}


def check_contract(strategy: Strategy, params: Mapping[str, Any] | None = None, exits: Exits = ()) -> None:
    """All the checks. Raises AssertionError that says which one failed."""
    warmup = StrategyRun(strategy, params, exits).warmup_bars
    walks = [random_walk(3 * warmup + 500, seed) for seed in range(1, strategy.legs + 1)]
    bars = _together(walks)
    whole = StrategyRun(strategy, params, exits).feed(bars)
    check_deterministic(strategy, params, exits, bars, whole)
    check_causal(strategy, params, exits, bars, whole)
    check_snapshot(strategy, params, exits, bars, whole)
    check_warmup(strategy, params, bars)
    check_named_state(strategy, params)
    for name, market in extreme_markets(3 * warmup + 100).items():
        # raises where a target or confidence is not allowed
        outs = StrategyRun(strategy, params, exits).feed(_together([market] * strategy.legs))
        assert np.isfinite(outs["target"]).all(), f"{name} prices: a target is not finite"


def _together(legs: Sequence[BarArray]) -> BarArray:
    """(n,) of one instrument, (n, legs) of several."""
    joined: BarArray = legs[0] if len(legs) == 1 else np.stack(legs, axis=1)
    return joined


def check_deterministic(
    strategy: Strategy, params: Mapping[str, Any] | None, exits: Exits, bars: BarArray, expected: Outs
) -> None:
    again = StrategyRun(strategy, params, exits).feed(bars)
    assert again.tobytes() == expected.tobytes(), "two runs over the same bars differ"


def check_causal(
    strategy: Strategy, params: Mapping[str, Any] | None, exits: Exits, bars: BarArray, expected: Outs
) -> None:
    """What was wanted does not depend on bars that came later."""
    for cut in (1, len(bars) // 3, len(bars) - 1):
        other = bars.copy()
        other["close"][cut:] *= -3.0
        run = StrategyRun(strategy, params, exits).feed(other)
        assert run[:cut].tobytes() == expected[:cut].tobytes(), f"the first {cut} outcomes depend on later bars"


def check_snapshot(
    strategy: Strategy, params: Mapping[str, Any] | None, exits: Exits, bars: BarArray, expected: Outs
) -> None:
    """A fresh instance that is given a snapshot goes on as the old one: all that is remembered is in the state."""
    for cut in (1, len(bars) // 2, len(bars) - 1):
        before = StrategyRun(strategy, params, exits)
        before.feed(bars[:cut])
        after = StrategyRun(strategy, params, exits)
        after.feed(bars[::-1].copy())  # whatever it remembers elsewhere, it remembers wrongly now
        after.restore(before.snapshot())
        outs = after.feed(bars[cut:])
        assert outs.tobytes() == expected[cut:].tobytes(), f"restored after {cut} bars, it goes on differently"


def check_warmup(strategy: Strategy, params: Mapping[str, Any] | None, bars: BarArray) -> None:
    """Nobody would hear what is wanted before the warm-up is over."""
    declared = StrategyRun(strategy, params).warmup_bars
    outs = StrategyRun(strategy, params, warmup_bars=1).feed(bars[: declared - 1])
    early = np.flatnonzero(outs["target"])
    assert not len(early), f"a target on bar {early[0] + 1}, but {declared} bars are declared as warm-up"


def check_named_state(strategy: Strategy, params: Mapping[str, Any] | None) -> None:
    """Two instances share no memory."""
    first, second = strategy.instantiate(params), strategy.instantiate(params)
    if isinstance(first, CompiledInstance) and isinstance(second, CompiledInstance):
        assert not np.shares_memory(first.state, second.state), "two instances share their state"
        assert first.state.dtype.names, "the state has no names"
    else:
        assert first.state is not second.state, "two instances share their state"
