"""How a market maker for depth backtests is declared: a compiled step that sees a VIEW and writes WANTED.

The same as a compiled strategy of bars in all but what it sees and what it writes: its own state, its parameters,
nothing else, so that it can not see the future.
"""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.errors import NumbaError

from tradingd.kernels.compile import kernel
from tradingd.kernels.depth_quotes import VIEW, WANTED
from tradingd.strategies.contract import (
    Bounds,
    CompiledInstance,
    Params,
    StrategyError,
    first_cause,
    resolve_params,
    to_record,
)


@dataclass(frozen=True, slots=True)
class CompiledMaker:
    """A step (state, view, params, wanted) and how to make its state and parameters, as `CompiledStrategy` has it."""

    name: str
    step: Any
    defaults: Params
    bounds: Bounds
    initial: Callable[[Params], Mapping[str, Any]]
    text: str
    digest: str

    def instantiate(self, params: Mapping[str, Any] | None = None) -> CompiledInstance:
        """Compiles for these parameters (from the disk cache where it can). Raises StrategyError."""
        resolved = resolve_params(self.name, self.defaults, self.bounds, params or {})
        state, values = to_record(self.initial(resolved)), to_record(resolved)
        library, address = _compile(self.name, self.step, state.dtype, values.dtype)
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
        text = Path(inspect.getfile(step)).read_text(encoding="utf-8")
        digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        if unknown := set(bounds or {}) - set(params or {}):
            raise StrategyError(f"maker {step.__name__}: bounds for {sorted(unknown)}, which are no parameters")
        return CompiledMaker(step.__name__, kernel(step), params or {}, bounds or {}, state, text, digest)

    return decorate


@cache  # asking numba for what it has compiled already takes longer than a start needs for all the rest
def _compile(name: str, step: Any, state: np.dtype[Any], params: np.dtype[Any]) -> tuple[object, int]:
    """The library that owns the step's machine code for these types, and the address of its C wrapper."""
    signature = types.void(*(numba.from_dtype(dtype) for dtype in (state, VIEW, params, WANTED)))
    try:
        step.compile(signature)
    except KeyError as error:
        raise StrategyError(f"maker {name}: its state, view, params or wanted has no field {error}") from error
    except NumbaError as error:
        raise StrategyError(f"maker {name} does not compile: {first_cause(error)}") from error
    result = step.overloads[signature.args]
    return result.library, result.library.get_pointer_to_function(result.fndesc.llvm_cfunc_wrapper_name)
