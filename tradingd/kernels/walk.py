"""What goes around a strategy's step: machine code of its own for each step, with the step inside.

A guard is called by address like the step; of a step that fails it leaves what nobody is allowed to want. A walk is
called like it, too, with COLUMNS in place of the bar, and steps over many bars. It comes back at the first bar after
which the strategy wants something else, so who calls it sees what it would see by calling the step at every bar.
"""

from types import FunctionType
from typing import Any

import numpy as np

from tradingd.columns import BAR
from tradingd.kernels.calls import FAILED, copy_out, local_copy, overwrite
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


def guard_of(step: Any, legs: int) -> Any:
    return _around(step, _guarded if legs == 1 else _guarded_legs, "guard")


def maker_guard_of(step: Any) -> Any:
    return _around(step, _guarded_maker, "guard")


def walk_of(step: Any) -> Any:
    return _around(step, _walk, "walk")


def _around(step: Any, template: Any, name: str) -> Any:
    """A kernel: the code of `template` with the step's names, under which numba caches it, and with what the step has
    from the function that made it, which tells steps of one name apart there."""
    made, inner = template.__code__, step.py_func
    names = ("co_filename", "co_firstlineno", "co_freevars")
    code = made.replace(**{name: getattr(inner.__code__, name) for name in names})
    around = FunctionType(code, {**globals(), "step": step}, f"{inner.__name__}_{name}", None, inner.__closure__)
    around.__qualname__, around.__module__ = f"{inner.__qualname__}_{name}", inner.__module__
    return kernel(around)


def step(state: Records, bar: Records, params: Records, out: Records) -> None:
    """Stands below for the step of a strategy."""


def _guarded(state: Records, bar: Records, params: Records, out: Records) -> None:
    own = local_copy(out)
    out.target = FAILED  # a step that fails ends the call, and its caller is told nothing else
    step(state, bar, params, own)
    overwrite(out, own)


def _guarded_legs(state: Records, bars: Records, params: Records, outs: Records) -> None:
    own = local_copy(outs)
    for leg in range(len(outs.leg)):
        outs.leg[leg].target = FAILED
    step(state, bars, params, own)
    overwrite(outs, own)


def _guarded_maker(state: Records, view: Records, params: Records, wanted: Records) -> None:
    own = local_copy(wanted)
    wanted.bid_lots = -1  # which is not allowed
    step(state, view, params, own)
    overwrite(wanted, own)


def _walk(state: Records, columns: Records, params: Records, out: Records) -> None:
    """Bars and wishes are copies here: what a step does not look at costs nothing, and what it does not change is not
    compared."""
    bar, own = local_copy(columns.bar), local_copy(out)
    columns.failed = 1  # until the walk has come to its end
    for i in range(columns.next, columns.stop):
        columns.next = i + 1
        read_bar(columns, i, bar)
        before = local_copy(own)
        step(state, bar, params, own)
        if not same_bytes(own, before):
            break
    columns.failed = 0
    copy_out(own, out)
