"""Whether the strategies and exits that a config names can be loaded, and take the parameters that it gives them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tradingd.config.problems import Problem, join, suggestion
from tradingd.strategies.contract import CompiledStrategy, StrategyError, check_legs
from tradingd.strategies.loader import Strategy, load_strategy, misplaced
from tradingd.strategies.settings import ExitSettings, StrategySettings


def strategy_problems(strategy: StrategySettings, path: str, base: Path) -> Iterator[Problem]:
    """Relative files start at `base`."""
    if wrong := misplaced(strategy.kind, as_exit=False):
        yield Problem(f"{path}.kind", wrong)
    else:
        found = list(_problems(strategy.kind, strategy.params, path, base))
        yield from found or _leg_problems(strategy, path, base)
    for n, leave in enumerate(strategy.exits):
        yield from _exit_problems(leave, f"{path}.exits[{n}]", base)


def _leg_problems(strategy: StrategySettings, path: str, base: Path) -> Iterator[Problem]:
    try:
        check_legs(load_strategy(strategy.kind, base), len(strategy.instruments))
    except StrategyError as error:
        yield Problem(f"{path}.instruments", str(error))


def _exit_problems(leave: ExitSettings, path: str, base: Path) -> Iterator[Problem]:
    if wrong := misplaced(leave.kind, as_exit=True):
        yield Problem(f"{path}.kind", wrong)
        return
    found = list(_problems(leave.kind, leave.params, path, base))
    yield from found
    if found:
        return
    strategy = load_strategy(leave.kind, base)
    if not isinstance(strategy, CompiledStrategy):
        yield Problem(f"{path}.kind", "an exit has to be compiled; this one is plain Python")
    elif strategy.legs > 1:
        yield Problem(f"{path}.kind", "an exit takes one instrument; this is a strategy of several")


def _problems(kind: str, params: Mapping[str, Any], path: str, base: Path) -> Iterator[Problem]:
    try:
        strategy = load_strategy(kind, base)
    except StrategyError as error:
        yield Problem(f"{path}.kind", str(error))
        return
    known = _parameters(strategy)
    unknown = [key for key in params if key not in known]
    yield from (Problem(join(f"{path}.params", key), f"unknown key{suggestion(key, known)}") for key in unknown)
    if not unknown:
        yield from _refused(strategy, params, path)


def _refused(strategy: Strategy, params: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Compiles nothing: a compiled strategy is only asked about its parameters."""
    try:
        strategy.resolve(params) if isinstance(strategy, CompiledStrategy) else strategy.instantiate(params)
    except StrategyError as error:
        yield Problem(f"{path}.params", str(error))


def _parameters(strategy: Strategy) -> list[str]:
    if isinstance(strategy, CompiledStrategy):
        return list(strategy.defaults)
    return [field.encode_name for field in msgspec.structs.fields(strategy.Params)]
