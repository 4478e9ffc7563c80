"""What a strategy says over bars: compiled ones inside one kernel, plain Python ones a bar at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np

from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.settings import BacktestSettings
from tradingd.feeds.bars.table import TIMES, Bars
from tradingd.grid import grid_of
from tradingd.kernels.calls import NOT_ALLOWED, new_wishes
from tradingd.kernels.scan import INSTRUMENT
from tradingd.kernels.signals import FAILED, FULL, SIGNAL, UNLAWFUL, say, signal_bars
from tradingd.kernels.slots import SLOT, weigh
from tradingd.kernels.walk import COLUMNS
from tradingd.strategies.contract import (
    CompiledInstance,
    CompiledStrategy,
    PythonInstance,
    Target,
    bar_of,
    write_target,
)
from tradingd.strategies.loader import load_single

Records = np.ndarray[Any, Any]
ROOM = 4096


@dataclass(frozen=True, slots=True)
class Columns:
    """kernels.walk.COLUMNS, (1,), and the arrays of which it has the addresses."""

    record: Records
    arrays: list[Records]

    @classmethod
    def of(cls, bars: Bars) -> Self:
        record, arrays = np.zeros(1, COLUMNS), []
        record["bar"], record["size"] = bars.blank(1), len(bars)
        for field in fields(bars):
            kind = np.int64 if field.name in TIMES else np.float64  # an address does not tell
            arrays.append(np.ascontiguousarray(getattr(bars, field.name), kind))
            record[field.name.removesuffix("_ns")] = arrays[-1].ctypes.data
        return cls(record, arrays)


def signals_of(settings: BacktestSettings, bars: Bars, base: Path) -> Records:
    """What the strategy and its exits say, of kernels.signals.SIGNAL. Raises StrategyError, BacktestError."""
    strategy, instrument = load_single(settings.kind, base), instrument_of(settings)
    exits = [_exit(leave.kind, leave.params, base) for leave in settings.exits]
    if isinstance(strategy, CompiledStrategy):
        return _heard([strategy.walking(settings.strategy), *exits], instrument, bars)
    return np.array(list(_heard_python(strategy.instantiate(settings.strategy), exits, instrument, bars)), SIGNAL)


def instrument_of(settings: BacktestSettings) -> Records:
    record = np.zeros(1, INSTRUMENT)
    ticks = grid_of(settings.instrument.tick_size)
    record["tick_num"], record["tick_den"] = ticks.numerator, ticks.denominator
    record["to_ask"], record["to_bid"] = settings.instrument.half_ticks_to(1), settings.instrument.half_ticks_to(-1)
    return record


def double(records: Records) -> None:
    """Makes room for as many more; nothing else may look at the array."""
    records.resize(2 * len(records), refcheck=False)


def _exit(kind: str, params: dict[str, Any], base: Path) -> CompiledInstance:
    instance = load_single(kind, base).instantiate(params)
    if not isinstance(instance, CompiledInstance):
        raise BacktestError(f"exits are compiled; {kind} is plain Python")
    return instance


def _heard(instances: list[CompiledInstance], instrument: Records, bars: Bars) -> Records:
    slots, wishes, cursor = _slot(instances[0].warmup_bars), new_wishes(1), np.zeros(2, np.int64)
    told, signals, steps = wishes["final"].copy(), np.zeros(ROOM, SIGNAL), _steps(instances)
    columns = Columns.of(bars)
    while True:
        reason = signal_bars(columns.record, slots, instrument, steps, wishes, told, signals, cursor)
        if reason == UNLAWFUL:
            raise _unlawful(int(cursor[0]))
        if reason == FAILED:
            raise BacktestError(f"bar {cursor[0]}: the strategy failed; what it failed of stands above")
        if reason != FULL:
            return signals[: cursor[1]]
        double(signals)


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
    return BacktestError(f"bar {bar}: {NOT_ALLOWED}")
