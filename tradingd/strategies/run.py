"""A strategy with its exits over bars, outside of the daemon: for tests, notebooks and the contract suite."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tradingd.columns import BarArray
from tradingd.kernels.calls import NOT_ALLOWED, OUT, apply_exits, copy_out, new_wishes, run_once, run_wishes
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
    """One strategy with exits that are compiled. `feed` may be called as often as there are bars.

    Nothing is wanted before `warmup_bars` have been seen: by default those that the strategy declares.
    """

    def __init__(
        self,
        strategy: CompiledStrategy | type[PythonStrategy],
        params: Mapping[str, Any] | None = None,
        exits: Sequence[tuple[CompiledStrategy, Mapping[str, Any]]] = (),
        *,
        warmup_bars: int | None = None,
    ) -> None:
        self.instance: CompiledInstance | PythonInstance = strategy.instantiate(params)
        self.legs = strategy.legs
        self.exits = [leave.instantiate(leave_params) for _ in range(self.legs) for leave, leave_params in exits]
        self.wish = new_wishes(self.legs)
        self._own = self.wish["own"].copy()  # of several instruments
        self.warmup_bars = self.instance.warmup_bars if warmup_bars is None else warmup_bars
        self._seen = 0
        compiled = [i for i in (self.instance, *self.exits) if isinstance(i, CompiledInstance)]
        self._steps = np.array([i.row for i in compiled], np.int64).reshape(-1, 3)

    def feed(self, bars: BarArray) -> Outs:
        """(n,) closed bars to (n,) of OUT: what is wanted after each; (n, legs) of both where one step takes several.

        Raises StrategyError where it is not allowed.
        """
        outs = np.zeros(bars.shape, OUT)
        cold = min(max(self.warmup_bars - 1 - self._seen, 0), len(bars))
        if self.legs > 1:
            return self._feed_legs(bars, outs, cold)
        for i in range(cold):
            self._feed_cold(bars[i : i + 1])
            copy_out(self.wish[0]["final"], outs[i])
        done = cold + self._feed_warm(bars[cold:], outs[cold:])
        if done < len(bars):
            raise _unlawful(done)
        self._seen += len(bars)
        return outs

    def _feed_legs(self, bars: BarArray, outs: Outs, cold: int) -> Outs:
        instance, own = self.instance, self._own
        assert isinstance(instance, CompiledInstance), "plain Python takes one instrument"
        exits = self._steps[1:].reshape(self.legs, -1, 3)
        for i in range(len(bars)):
            run_once(*instance.row, bars[i].ctypes.data, own.ctypes.data)
            if i < cold:
                own[:] = new_wishes(self.legs)["own"]
            for leg in range(self.legs):
                self.wish[leg]["own"] = own[leg]
                if not apply_exits(exits[leg], bars[i, leg : leg + 1].ctypes.data, self.wish[leg]):
                    raise _unlawful(i)
            outs[i] = self.wish["final"]
        self._seen += len(bars)
        return outs

    def _feed_warm(self, bars: BarArray, outs: Outs) -> int:
        if isinstance(self.instance, CompiledInstance):
            return int(run_wishes(self._steps, bars, self.wish, outs))
        return self._feed_python(self.instance, bars, outs)

    def _feed_cold(self, bar: BarArray) -> None:
        """The strategy learns, and what it wants is as if it had never been; its exits see no exposure."""
        exits = self._steps
        if isinstance(self.instance, CompiledInstance):
            run_wishes(self._steps[:1], bar, new_wishes(1), np.zeros(1, OUT))
            exits = self._steps[1:]
        else:
            self.instance.on_bar(bar_of(bar[0]))
        apply_exits(exits, bar.ctypes.data, self.wish[0])

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
        seen = self._seen.to_bytes(8, "little")
        return [seen, self.wish.tobytes(), self._own.tobytes(), *(i.snapshot() for i in (self.instance, *self.exits))]

    def restore(self, snapshot: list[bytes]) -> None:
        self._seen = int.from_bytes(snapshot[0], "little")
        self.wish[:] = np.frombuffer(snapshot[1], self.wish.dtype)
        self._own[:] = np.frombuffer(snapshot[2], self._own.dtype)
        for instance, taken in zip((self.instance, *self.exits), snapshot[3:], strict=True):
            instance.restore(taken)


def _unlawful(bar: int) -> StrategyError:
    return StrategyError(f"bar {bar}: {NOT_ALLOWED}")
