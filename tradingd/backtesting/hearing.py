"""What a strategy says over bars: compiled ones inside one kernel, plain Python ones a bar at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.settings import BacktestSettings
from tradingd.feeds.bars.table import Bars
from tradingd.grid import grid_of
from tradingd.kernels.calls import new_wishes
from tradingd.kernels.scan import INSTRUMENT
from tradingd.kernels.signals import FULL, SIGNAL, UNLAWFUL, say, signal_bars
from tradingd.kernels.slots import SLOT, weigh
from tradingd.strategies.contract import CompiledInstance, PythonInstance, Target, bar_of, write_target
from tradingd.strategies.loader import load_single

Records = np.ndarray[Any, Any]
ROOM = 4096


def signals_of(settings: BacktestSettings, bars: Bars, base: Path) -> Records:
    """What the strategy and its exits say, of kernels.signals.SIGNAL. Raises StrategyError, BacktestError."""
    strategy = load_single(settings.kind, base).instantiate(settings.strategy)
    exits = [_exit(leave.kind, leave.params, base) for leave in settings.exits]
    if isinstance(strategy, PythonInstance):
        return np.array(list(_heard_python(strategy, exits, instrument_of(settings), bars)), SIGNAL)
    return _heard([strategy, *exits], instrument_of(settings), bars)


def instrument_of(settings: BacktestSettings) -> Records:
    record = np.zeros(1, INSTRUMENT)
    ticks = grid_of(settings.instrument.tick_size)
    record["tick_num"], record["tick_den"] = ticks.numerator, ticks.denominator
    record["to_ask"], record["to_bid"] = settings.instrument.half_ticks_to(1), settings.instrument.half_ticks_to(-1)
    return record


def doubled(records: Records) -> Records:
    more = np.zeros(2 * len(records), records.dtype)
    more[: len(records)] = records
    return more


def _exit(kind: str, params: dict[str, Any], base: Path) -> CompiledInstance:
    instance = load_single(kind, base).instantiate(params)
    if not isinstance(instance, CompiledInstance):
        raise BacktestError(f"exits are compiled; {kind} is plain Python")
    return instance


def _heard(instances: list[CompiledInstance], instrument: Records, bars: Bars) -> Records:
    slots, wishes, cursor = _slot(instances[0].warmup_bars), new_wishes(1), np.zeros(2, np.int64)
    told, signals, steps = wishes["final"].copy(), np.zeros(ROOM, SIGNAL), _steps(instances)
    while True:
        reason = signal_bars(
            bars.ts_open_ns, bars.ts_close_ns, bars.open, bars.high, bars.low, bars.close, bars.volume,
            bars.blank(1), slots, instrument, steps, wishes, told, signals, cursor,
        )  # fmt: skip
        if reason == UNLAWFUL:
            raise _unlawful(int(cursor[0]))
        if reason != FULL:
            return signals[: cursor[1]]
        signals = doubled(signals)


def _heard_python(
    strategy: PythonInstance, exits: list[CompiledInstance], instrument: Records, bars: Bars
) -> Iterator[Any]:
    slots, wishes, records, signal = _slot(strategy.warmup_bars), new_wishes(1), bars.records(), np.zeros(1, SIGNAL)
    told, steps = wishes["final"].copy(), _steps(exits)
    for i in range(len(bars)):
        target = strategy.on_bar(bar_of(records[i]))
        if target is not None and not isinstance(target, Target):
            raise BacktestError(f"bar {i}: the strategy gave {target!r}, no Target and not None")
        if target is not None:
            write_target(wishes[0]["own"], target)
        if weigh(slots[0], records[i : i + 1].ctypes.data, instrument[0], steps, wishes[0], told[0]):
            if slots["unlawful"][0]:
                raise _unlawful(i)
            say(signal[0], i, told[0])
            yield signal[0].copy()


def _slot(warmup_bars: int) -> Records:
    slots = np.zeros(1, SLOT)
    slots["warmup"] = warmup_bars - 1
    return slots


def _steps(instances: list[CompiledInstance]) -> Any:
    return np.array([instance.row for instance in instances], np.int64).reshape(-1, 3)


def _unlawful(bar: int) -> BacktestError:
    return BacktestError(f"bar {bar}: a target outside of [-1, 1], a confidence outside of [0, 1], or NaN")
