"""The two kinds of strategy: a compiled step with a named state, and a plain Python class with a declared one.

Both see one closed bar at a time and nothing else, and keep everything they remember in their state, so that a snapshot
of the state is a snapshot of the strategy.
"""

import hashlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numba
import numpy as np
from msgspec import Struct
from numba import types
from numba.core.errors import NumbaError

from tradingd.columns import BAR, F64
from tradingd.kernels.calls import OUT, PRICES
from tradingd.kernels.compile import inlined
from tradingd.kernels.walk import COLUMNS, guard_of, walk_of

Params = dict[str, Any]  # bool, int or float by name
Bounds = Mapping[str, tuple[float, float]]  # lowest and highest allowed value by name
Record = np.ndarray[Any, Any]  # (1,) of a structured dtype
# Of parameters and bars, the latter as columns (open, high, low, close, volume), (n,) each: (n,) prices by name
Lines = Callable[[Params, Any], Mapping[str, F64]]


class StrategyError(ValueError):
    """A strategy that can not be loaded or instantiated; one line that says what, where and what to do."""


@dataclass(frozen=True, slots=True)
class CompiledInstance:
    """A compiled strategy ready to be called; `keepalive` owns the machine code behind `address`."""

    address: int  # of the step, or of its walk
    state: Record
    params: Record
    warmup_bars: int
    keepalive: object

    @property
    def row(self) -> tuple[int, int, int]:
        """Addresses of step, state and parameters, as `calls.step_wish` takes them."""
        return self.address, self.state.ctypes.data, self.params.ctypes.data

    def snapshot(self) -> bytes:
        return self.state.tobytes()

    def restore(self, snapshot: bytes) -> None:
        """Raises StrategyError where the snapshot has another size: it is of other code or other parameters."""
        if len(snapshot) != self.state.nbytes:
            raise StrategyError(f"a snapshot of {len(snapshot)} bytes does not fit a state of {self.state.nbytes}")
        self.state[:] = np.frombuffer(snapshot, self.state.dtype)


@dataclass(frozen=True, slots=True)
class CompiledStrategy:
    """A step (state, bar, params, out) and how to make its state and parameters.

    guard, walk   the step as it is called, and over many bars in one call, `kernels.walk` has them
    defaults  parameters by name; their types are those of the defaults
    bounds    lowest and highest value, both allowed, of those parameters that have them
    lines     what a report draws over the candles; nothing that trades calls it
    text      of the file that holds the step; `digest` is of the text
    legs      instruments that one step is given
    """

    name: str
    step: Any
    guard: Any
    walk: Any
    defaults: Params
    bounds: Bounds
    initial: Callable[[Params], Mapping[str, Any]]
    warmup: Callable[[Params], int]
    check: Callable[[Params], str | None]
    lines: Lines
    text: str
    digest: str
    legs: int = 1

    def resolve(self, params: Mapping[str, Any]) -> Params:
        """All parameters, defaults filled in. Raises StrategyError for unknown names, wrong types, bounds broken."""
        resolved = resolve_params(self.name, self.defaults, self.bounds, params)
        if problem := self.check(resolved):
            raise StrategyError(f"strategy {self.name}: {problem}")
        return resolved

    def instantiate(self, params: Mapping[str, Any] | None = None) -> CompiledInstance:
        """Compiles for these parameters (from the disk cache where it can). Raises StrategyError."""
        return self._instance(self.guard, _of_legs(BAR, self.legs), params or {})

    def walking(self, params: Mapping[str, Any] | None = None) -> CompiledInstance:
        """The same with the address of the walk, of a strategy of one instrument."""
        return self._instance(self.walk, COLUMNS, params or {})

    def _instance(self, code: Any, bar: np.dtype[Any], params: Mapping[str, Any]) -> CompiledInstance:
        resolved = self.resolve(params)
        state, values = to_record(self.initial(resolved)), to_record(resolved)
        bars, out = (_of_legs(kind, self.legs) for kind in (BAR, OUT))
        around, inside = ((state.dtype, each, values.dtype, out) for each in (bar, bars))
        who, names = f"strategy {self.name}", "state, bar, params or out"
        library, address = code_around(who, code, around, self.step, inside, names)
        return CompiledInstance(address, state, values, self.warmup(resolved), library)


def compiled(
    *,
    params: Params | None = None,
    state: Callable[[Params], Mapping[str, Any]] = lambda _: {},
    warmup: Callable[[Params], int] = lambda _: 1,
    bounds: Bounds | None = None,
    check: Callable[[Params], str | None] = lambda _: None,
    lines: Lines = lambda *_: {},
    legs: int = 1,
) -> Callable[[Callable[..., None]], CompiledStrategy]:
    """Makes a compiled strategy (or exit) of a step `(state, bar, params, out)`.

    params  default by name: an int is an int64, a float a float64, a bool a bool
    state   initial value by name, of the parameters: a number, NumPy scalar, array or record (as of indicators)
    warmup  bars to be seen before the first decision, of the parameters
    bounds  lowest and highest value by name
    check   what is wrong with these parameters together, or None
    lines   of the parameters and the bars as columns: prices by name that a report draws over the candles
    legs    instruments of one step: with more than one, bar and out are those of `bar.leg[0]`, `bar.leg[1]` and so on,
            in the config's order, and the step runs where all of them have closed a bar at the same time
    """

    def decorate(step: Callable[..., None]) -> CompiledStrategy:
        defaults, text_and_digest = params or {}, source_of(step)
        check_bounds(f"strategy {step.__name__}", defaults, bounds or {})
        made = (state, warmup, check, lines, *text_and_digest, legs)
        inside = inlined(step)
        guard, walk = guard_of(inside, legs), walk_of(inside)
        return CompiledStrategy(step.__name__, inside, guard, walk, defaults, bounds or {}, *made)

    return decorate


def _of_legs(dtype: np.dtype[Any], legs: int) -> np.dtype[Any]:
    """What a step is given: one record, or as many as there are legs, one after another."""
    return dtype if legs == 1 else np.dtype([("leg", dtype, (legs,))], align=True)


def source_of(made: Any) -> tuple[str, str]:
    """Text of the file that holds a step or a class, and its digest."""
    text = Path(inspect.getfile(made)).read_text(encoding="utf-8")
    return text, hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def check_legs(strategy: CompiledStrategy | type["PythonStrategy"], instruments: int) -> None:
    """Raises StrategyError where a strategy of several instruments has not got as many; of one, each has its own."""
    if strategy.legs > 1 and strategy.legs != instruments:
        name = strategy.name if isinstance(strategy, CompiledStrategy) else strategy.__name__
        raise StrategyError(f"strategy {name} takes {strategy.legs} instruments at once, and has {instruments}")


def check_bounds(who: str, defaults: Params, bounds: Bounds) -> None:
    if unknown := set(bounds) - set(defaults):
        raise StrategyError(f"{who}: bounds for {sorted(unknown)}, which are no parameters")


def resolve_params(name: str, defaults: Params, bounds: Bounds, given: Mapping[str, Any]) -> Params:
    allowed = ", ".join(f"{key}={value!r}" for key, value in defaults.items()) or "none"
    for key in given:
        if key not in defaults:
            raise StrategyError(f"strategy {name} has no parameter {key!r}; allowed: {allowed}")
    resolved = {key: _typed(name, key, default, given.get(key, default)) for key, default in defaults.items()}
    for key, (low, high) in bounds.items():
        if not low <= resolved[key] <= high:
            raise StrategyError(f"strategy {name}: {key}={resolved[key]!r} is outside of {low!r} to {high!r}")
    return resolved


def _typed(name: str, key: str, default: Any, value: Any) -> Any:
    """`value` in the type of the default; a whole number may stand for a float."""
    kind = type(default)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise StrategyError(f"strategy {name}: {key}={value!r} has to be of type {kind.__name__}, as {default!r}")
    if kind is float and not math.isfinite(value):
        raise StrategyError(f"strategy {name}: {key}={value!r} is not a finite number")
    if kind is int and not -(2**63) <= value < 2**63:
        raise StrategyError(f"strategy {name}: {key}={value!r} does not fit into 64 bits")
    return value


def to_record(values: Mapping[str, Any]) -> Record:
    """(1,) record of named values; ints as int64, floats as float64, NumPy values as they are, records nested."""
    arrays = {key: np.asarray(value) for key, value in values.items()} or {"unused": np.asarray(0)}
    dtype = np.dtype([(key, array.dtype, array.shape) for key, array in arrays.items()], align=True)
    if dtype.hasobject:
        raise StrategyError(f"a state holds numbers, arrays and records only, not {dtype}")
    record = np.zeros(1, dtype)
    for key, array in arrays.items():
        record[0][key] = array
    return record


def code_around(
    who: str, code: Any, records: tuple[np.dtype[Any], ...], step: Any, inside: tuple[np.dtype[Any], ...], names: str
) -> tuple[object, int]:
    """`machine_code` of what goes around a step, which itself takes the records `inside`."""
    try:
        return machine_code(who, code, records, names)
    except StrategyError:
        machine_code(who, step, inside, names)  # what is wrong with a step is told at its own line
        raise


@cache  # asking numba for what it has compiled already takes longer than a start needs for all the rest
def machine_code(who: str, step: Any, records: tuple[np.dtype[Any], ...], names: str) -> tuple[object, int]:
    """The library that owns the step's machine code for these records, called `names`, and the address of its C
    wrapper."""
    signature = types.void(*(numba.from_dtype(dtype) for dtype in records))
    try:
        step.compile(signature)
    except KeyError as error:
        raise StrategyError(f"{who}: its {names} has no field {error}") from error
    except NumbaError as error:
        raise StrategyError(f"{who} does not compile: {_first_cause(error)}") from error
    result = step.overloads[signature.args]
    return result.library, result.library.get_pointer_to_function(result.fndesc.llvm_cfunc_wrapper_name)


def _first_cause(error: NumbaError) -> str:
    """The line of numba's message that says what is wrong, and the one that says where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    where = next((line for line in lines if line.startswith("File ")), "")
    cause = lines[1] if lines[0].startswith("Failed in") and len(lines) > 1 else lines[0]
    return f"{cause} {where}".strip()


class Bar(Struct, frozen=True):
    """One closed bar, as `columns.BAR` has it."""

    ts_open: int
    ts_close: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float
    trades: int
    instrument: int
    timeframe: int


class Target(Struct, frozen=True):
    """What a strategy wants: a signed fraction of its equity, and prices.

    stop, take_profit   what closes the position
    trail               the stop follows the best price at this distance
    limit, trigger      what opens or adds is a limit order at `limit`, a stop order at `trigger`, with both a
                        stop-limit order; with neither it trades at once
    """

    target: float
    confidence: float = 1.0
    stop: float | None = None
    take_profit: float | None = None
    limit: float | None = None
    trigger: float | None = None
    trail: float | None = None


class PythonStrategy:
    """A strategy in plain Python: declare Params and State, and write on_bar. Slower by a hundred times and more.

    Bounds of parameters are declared in Params with msgspec.Meta. All that is remembered lives in State.
    """

    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        pass

    class State(Struct):
        pass

    text: ClassVar[str] = ""
    digest: ClassVar[str] = ""
    legs: ClassVar[int] = 1

    def __init_subclass__(cls) -> None:
        cls.text, cls.digest = source_of(cls)

    def on_bar(self, state: Any, bar: Bar, params: Any) -> Target | None:
        """The target after this closed bar; None leaves it as it was."""
        raise NotImplementedError

    def warmup_bars(self, params: Any) -> int:
        """Bars to be seen before the first decision."""
        return 1

    def lines(self, params: Any, bars: Any) -> Mapping[str, F64]:
        """Prices by name that a report draws over the candles; of `bars` it gets columns, as `Lines` says."""
        return {}

    @classmethod
    def instantiate(cls, params: Mapping[str, Any] | None = None) -> "PythonInstance":
        """Raises StrategyError for parameters that Params does not allow."""
        try:
            resolved = msgspec.convert(dict(params or {}), cls.Params)
        except msgspec.ValidationError as error:
            allowed = ", ".join(cls.Params.__struct_fields__) or "none"
            raise StrategyError(f"strategy {cls.__name__}: {error}; allowed: {allowed}") from error
        return PythonInstance(cls(), cls.State(), resolved)


class PythonInstance:
    """A plain Python strategy with its state and parameters."""

    def __init__(self, strategy: PythonStrategy, state: Any, params: Any) -> None:
        self.strategy = strategy
        self.state = state
        self.params = params
        self.warmup_bars = strategy.warmup_bars(params)

    def on_bar(self, bar: Bar) -> Target | None:
        return self.strategy.on_bar(self.state, bar, self.params)

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self.state)

    def restore(self, snapshot: bytes) -> None:
        self.state = msgspec.msgpack.decode(snapshot, type=type(self.state))


def bar_of(record: Any) -> Bar:
    """A `columns.BAR` record as plain Python strategies see it."""
    return Bar(*record.item())


def write_target(out: Any, target: Target) -> None:
    """What a plain Python strategy wants, into a record of calls.OUT."""
    out["target"] = target.target
    out["confidence"] = target.confidence
    for name in PRICES:
        price = getattr(target, name)
        out[name] = math.nan if price is None else price
