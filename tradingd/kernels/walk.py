"""A strategy's step over many bars in one call: machine code of its own for each step, with the step inside its loop.

Called by address like a step, with COLUMNS in place of the bar. It comes back at the first bar after which the strategy
wants something else, so who calls it sees what it would see by calling the step at every bar.
"""

from types import FunctionType
from typing import Any

import numpy as np

from tradingd.columns import BAR
from tradingd.kernels.calls import copy_out, local_copy
from tradingd.kernels.compile import kernel
from tradingd.kernels.pointers import float_at, int_at, same_bytes

Records = Any  # a NumPy record array

# Bars as columns, each the address of its first value; whoever calls keeps them alive.
COLUMNS = np.dtype(
    [
        ("bar", BAR),  # what is the same in all of them
        *((name, "<i8") for name in ("ts_open", "ts_close", "open", "high", "low", "close", "volume")),
        ("size", "<i8"),  # bars
        ("next", "<i8"),  # the one to be stepped
        ("stop", "<i8"),  # after the last one to be stepped
        ("failed", "<i8"),  # 1: the step of the bar before `next` did not come to its end
    ],
    align=True,
)


@kernel
def read_bar(columns: Records, i: int, bar: Records) -> None:
    bar.ts_open, bar.ts_close = int_at(columns.ts_open, i), int_at(columns.ts_close, i)
    bar.open, bar.high = float_at(columns.open, i), float_at(columns.high, i)
    bar.low, bar.close = float_at(columns.low, i), float_at(columns.close, i)
    bar.volume = float_at(columns.volume, i)


def walk_of(step: Any) -> Any:
    """The walk of one step, a kernel: the code of `_walk` with the step's names, under which numba caches it, and with
    what the step has from the function that made it, which tells steps of one name apart there."""
    made, inner = _walk.__code__, step.py_func
    names = ("co_filename", "co_firstlineno", "co_freevars")
    code = made.replace(**{name: getattr(inner.__code__, name) for name in names})
    walk = FunctionType(code, {**globals(), "step": step}, f"{inner.__name__}_walk", None, inner.__closure__)
    walk.__qualname__, walk.__module__ = f"{inner.__qualname__}_walk", inner.__module__
    return kernel(walk)


def step(state: Records, bar: Records, params: Records, out: Records) -> None:
    """Stands in `_walk` for the step of a strategy."""


def _walk(state: Records, columns: Records, params: Records, out: Records) -> None:
    """Bars and wishes are copies here: what a step does not look at costs nothing, and what it does not change is not
    compared."""
    bar, own = local_copy(columns.bar), local_copy(out)
    columns.failed = 1  # a step that fails ends the walk, and its caller is told nothing else
    for i in range(columns.next, columns.stop):
        columns.next = i + 1
        read_bar(columns, i, bar)
        before = local_copy(own)
        step(state, bar, params, own)
        if not same_bytes(own, before):
            break
    columns.failed = 0
    copy_out(own, out)
