"""A strategy with its exits over bars, outside of the daemon: for tests, notebooks and the contract suite."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tradingd.columns import BarArray
from tradingd.kernels.calls import OUT, apply_exits, copy_out, new_wishes, run_wishes
from tradingd.strategies.contract import (
    CompiledInstance,
    CompiledStrategy,
    PythonInstance,
    PythonStrategy,
    StrategyError,
    bar_of,
    write_target,
)

Outs = np.ndarray[Any, Any]  # (n,) of calls.OUT


class StrategyRun:
    """One strategy on one instrument, with exits that are compiled. `feed` may be called as often as there are bars."""

    def __init__(
        self,
        strategy: CompiledStrategy | type[PythonStrategy],
        params: Mapping[str, Any] | None = None,
        exits: Sequence[tuple[CompiledStrategy, Mapping[str, Any]]] = (),
    ) -> None:
        self.instance: CompiledInstance | PythonInstance = strategy.instantiate(params)
        self.exits = [leave.instantiate(leave_params) for leave, leave_params in exits]
        self.wish = new_wishes(1)
        compiled = [i for i in (self.instance, *self.exits) if isinstance(i, CompiledInstance)]
        self._steps = np.array([i.row for i in compiled], np.int64).reshape(-1, 3)

    def feed(self, bars: BarArray) -> Outs:
        """(n,) closed bars to (n,) of OUT: what is wanted after each. Raises StrategyError where it is not allowed."""
        outs = np.zeros(len(bars), OUT)
        if isinstance(self.instance, CompiledInstance):
            done = run_wishes(self._steps, bars, self.wish, outs)
        else:
            done = self._feed_python(self.instance, bars, outs)
        if done < len(bars):
            raise StrategyError(f"bar {done}: a target outside of [-1, 1], a confidence outside of [0, 1], or NaN")
        return outs

    def _feed_python(self, instance: PythonInstance, bars: BarArray, outs: Outs) -> int:
        for i in range(len(bars)):
            target = instance.on_bar(bar_of(bars[i]))
            if target is not None:
                write_target(self.wish[0]["own"], target)
            if not apply_exits(self._steps, bars[i : i + 1].ctypes.data, self.wish[0]):
                return i
            copy_out(self.wish[0]["final"], outs[i])
        return len(bars)

    def snapshot(self) -> list[bytes]:
        return [self.wish.tobytes(), *(i.snapshot() for i in (self.instance, *self.exits))]

    def restore(self, snapshot: list[bytes]) -> None:
        self.wish[:] = np.frombuffer(snapshot[0], self.wish.dtype)
        for instance, taken in zip((self.instance, *self.exits), snapshot[1:], strict=True):
            instance.restore(taken)
