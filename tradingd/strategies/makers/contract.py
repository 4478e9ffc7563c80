"""How a market maker for depth backtests is declared: a compiled step that sees a VIEW and writes WANTED.

The same as a compiled strategy of bars in all but what it sees and what it writes: its own state, its parameters,
nothing else, so that it can not see the future.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tradingd.kernels.compile import inlined
from tradingd.kernels.depth_quotes import VIEW, WANTED
from tradingd.kernels.walk import maker_guard_of
from tradingd.strategies.contract import (
    Bounds,
    CompiledInstance,
    Params,
    check_bounds,
    code_around,
    resolve_params,
    source_of,
    to_record,
)


@dataclass(frozen=True, slots=True)
class CompiledMaker:
    """A step (state, view, params, wanted) and how to make its state and parameters, as `CompiledStrategy` has it."""

    name: str
    step: Any
    guard: Any  # the step as it is called, `kernels.walk` has it
    defaults: Params
    bounds: Bounds
    initial: Callable[[Params], Mapping[str, Any]]
    text: str
    digest: str

    def instantiate(self, params: Mapping[str, Any] | None = None) -> CompiledInstance:
        """Compiles for these parameters (from the disk cache where it can). Raises StrategyError."""
        resolved = resolve_params(self.name, self.defaults, self.bounds, params or {})
        state, values = to_record(self.initial(resolved)), to_record(resolved)
        records, names = (state.dtype, VIEW, values.dtype, WANTED), "state, view, params or wanted"
        library, address = code_around(f"maker {self.name}", self.guard, records, self.step, records, names)
        return CompiledInstance(address, state, values, 0, library)


def compiled(
    *,
    params: Params | None = None,
    state: Callable[[Params], Mapping[str, Any]] = lambda _: {},
    bounds: Bounds | None = None,
) -> Callable[[Callable[..., None]], CompiledMaker]:
    """Makes a market maker of a step `(state, view, params, wanted)`.

    params  default by name: an int is an int64, a float a float64, a bool a bool
    state   initial value by name, of the parameters: a number, NumPy scalar, array or record
    bounds  lowest and highest value by name
    """

    def decorate(step: Callable[..., None]) -> CompiledMaker:
        check_bounds(f"maker {step.__name__}", params or {}, bounds or {})
        inside = inlined(step)
        codes = inside, maker_guard_of(inside)
        return CompiledMaker(step.__name__, *codes, params or {}, bounds or {}, state, *source_of(step))

    return decorate
