"""Calling compiled steps by address, so that any number of different strategies run inside one kernel.

A step is a C function of four pointers: its state, the closed bar, its parameters and what it wants. An address carries
no type, so a kernel that calls it is compiled once, cached on disk, and never sees which strategies there are.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tradingd.columns import I64, BarArray
from tradingd.kernels.compile import lean_kernel

# What a strategy wants after a bar. It persists from bar to bar. All after confidence are prices, NaN for none: of what
# protects the position, of the order that opens or adds to it, and how far the stop may be from the best price.
PRICES = ("stop", "take_profit", "limit", "trigger", "trail")
OUT = np.dtype([(name, "<f8") for name in ("target", "confidence", *PRICES)], align=True)

FAILED = float(np.finfo(np.float64).min)  # the target of a step that did not come to its end

NOT_ALLOWED = "a step that failed, a target outside of [-1, 1], a confidence outside of [0, 1], or NaN"  # in words

# What a strategy wants (own), what is left of it after its exits (final), and the side on which an exit fired: -1.0 or
# 1.0 until the strategy leaves that side, 0.0 while none holds. Plain bytes, so it belongs into snapshots.
WISH = np.dtype([("own", OUT), ("final", OUT), ("exited_side", "<f8")], align=True)

Array = np.ndarray[Any, Any]
Typed = Callable[[Callable[..., Any]], Callable[..., Any]]
code_generator: Typed = intrinsic


def new_wishes(count: int) -> Array:
    """`count` fresh WISH records: target 0, confidence 1, no prices."""
    wishes = np.zeros(count, WISH)
    for name in ("own", "final"):
        wishes[name]["confidence"] = 1.0
        for price in PRICES:
            wishes[name][price] = np.nan
    return wishes


@code_generator
def call_step(_typing: Any, address: Any, state: Any, bar: Any, params: Any, out: Any) -> Any:
    """Calls the step at `address` with four pointers, all as int64."""

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        step = builder.inttoptr(args[0], ir.FunctionType(pointer, [pointer] * 4).as_pointer())
        builder.call(step, [builder.inttoptr(arg, pointer) for arg in args[1:]])
        return context.get_dummy_value()

    return types.void(*(types.int64,) * 5), codegen


@code_generator
def address_of(_typing: Any, record: Any) -> Any:
    """Address of a record that lives in an array; the array has to outlive every use of it."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ptrtoint(args[0], ir.IntType(64))

    return types.int64(record), codegen


@code_generator
def local_copy(_typing: Any, record: Any) -> Any:
    """A copy of a record on the stack, which the compiler keeps in registers; it ends with the calling kernel."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        place = cgutils.alloca_once(builder, ir.ArrayType(ir.IntType(64), (record.size + 7) // 8))
        copy = builder.bitcast(place, args[0].type)
        cgutils.raw_memcpy(builder, copy, args[0], ir.Constant(ir.IntType(64), record.size), 1)
        return copy

    return record(record), codegen


@code_generator
def overwrite(_typing: Any, record: Any, source: Any) -> Any:
    """A record takes all bytes of another one of its type."""

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        cgutils.raw_memcpy(builder, *args, ir.Constant(ir.IntType(64), record.size), 1)
        return context.get_dummy_value()

    return types.void(record, record), codegen


@lean_kernel
def run_once(address: int, state: int, params: int, bar: int, out: int) -> None:
    """One step, all by address."""
    call_step(address, state, bar, params, out)


@lean_kernel
def run_steps(address: int, state: int, bars: BarArray, params: int, out: Array, outs: Array) -> None:
    """Steps one strategy over `bars`: `out` (1,) of OUT goes in and comes back, `outs` gets it after each bar."""
    for i in range(len(bars)):
        call_step(address, state, address_of(bars[i]), params, address_of(out[0]))
        copy_out(out[0], outs[i])


@lean_kernel
def copy_out(source: Any, target: Any) -> None:
    target.target = source.target
    target.confidence = source.confidence
    target.stop = source.stop
    target.take_profit = source.take_profit
    target.limit = source.limit
    target.trigger = source.trigger
    target.trail = source.trail


@lean_kernel
def step_wish(steps: I64, bar: int, wish: Any) -> bool:
    """One closed bar for a strategy and its exits; `wish.final` is what counts. Returns what `apply_exits` returns.

    steps  (1 + exits, 3): the addresses of step, state and parameters; the strategy first, its exits after it, in order
    bar    address of the BAR
    wish   a WISH record
    """
    call_step(steps[0, 0], steps[0, 1], bar, steps[0, 2], address_of(wish.own))
    lawful: bool = apply_exits(steps[1:], bar, wish)
    return lawful


@lean_kernel
def apply_exits(exits: I64, bar: int, wish: Any) -> bool:
    """`wish.final` from `wish.own`: each exit overrides what the ones before it left.

    Once an exit has set the target to 0 it stays 0, which the exits see, until the strategy itself leaves that side:
    its own target becomes 0 or changes sign. No exposure has no prices, and an infinite one is none.

    False, and a target of 0, where the outcome is not allowed: NaN, a target outside of [-1, 1], a confidence outside
    of [0, 1]. A strategy that does so has a bug.
    """
    own = wish.own
    final = wish.final
    copy_out(own, final)
    side = np.sign(own.target)
    if wish.exited_side == side and side != 0.0:
        final.target = 0.0
    for i in range(len(exits)):
        call_step(exits[i, 0], exits[i, 1], bar, exits[i, 2], address_of(final))
    lawful: bool = -1.0 <= final.target <= 1.0 and 0.0 <= final.confidence <= 1.0
    if not lawful:
        final.confidence = 0.0
    if not lawful or final.target == 0.0:
        final.target = 0.0
    is_flat = final.target == 0.0
    final.stop = price_or_none(final.stop, is_flat)
    final.take_profit = price_or_none(final.take_profit, is_flat)
    final.limit = price_or_none(final.limit, is_flat)
    final.trigger = price_or_none(final.trigger, is_flat)
    final.trail = price_or_none(final.trail, is_flat or final.trail <= 0.0)
    wish.exited_side = side if lawful and final.target == 0.0 else 0.0
    return lawful


@lean_kernel
def price_or_none(price: float, is_flat: bool) -> float:
    return np.nan if is_flat or not abs(price) < np.inf else price


@lean_kernel
def run_wishes(steps: I64, bars: BarArray, wish: Array, outs: Array) -> int:
    """Steps a strategy and its exits over `bars`: `wish` (1,) of WISH goes in and comes back, `outs` gets the finals.

    Returns the number of bars stepped: fewer than given where the strategy wanted what is not allowed on the next one.
    """
    for i in range(len(bars)):
        if not step_wish(steps, address_of(bars[i]), wish[0]):
            return i
        copy_out(wish[0].final, outs[i])
    return len(bars)
