"""When instruments expire of which something is left: a position, or open orders."""

import math
from collections.abc import Iterator

from tradingd.core.state import State
from tradingd.kernels.closing import NEVER

EXPIRY = "expiry"


def next_ns(state: State) -> int:
    """Core time; NEVER where nothing is left to expire. While warming the record says what has become of it."""
    return min((at_ns for _, at_ns in _left(state)), default=NEVER)


def due(state: State, until_ns: int) -> list[int]:
    """Indices of what expires up to `until_ns`."""
    return [index for index, at_ns in _left(state) if at_ns <= until_ns]


def _left(state: State) -> Iterator[tuple[int, int]]:
    for index, at_ns in state.memory.expiries_ns if not state.warming else ():
        if _is_held(state, index) or any(o.request.instrument == index for o in state.ledger.orders.values()):
            yield index, at_ns


def _is_held(state: State, index: int) -> bool:
    """A position whose price nobody knows waits for one."""
    return state.ledger.lots(index) != 0 and not math.isnan(state.memory.market.last[index])
