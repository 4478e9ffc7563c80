"""A depth backtest from settings and events to a result."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tradingd.backtesting.depth.engine import replay
from tradingd.backtesting.depth.events import DepthEvents
from tradingd.backtesting.depth.result import DepthResult
from tradingd.backtesting.depth.settings import DepthSettings, settings_of
from tradingd.backtesting.settings import currency_of, plain
from tradingd.config.overrides import apply_overrides
from tradingd.strategies.makers.loader import load_maker


def depth_backtest(
    strategy: str,
    events: DepthEvents,
    params: Mapping[str, bool | int | float] | None = None,
    *,
    balance: str = "100000",
    sets: Sequence[str] = (),
    base: Path = Path(),
    **settings: Any,
) -> DepthResult:
    """A market maker on the depth and trades of one instrument; docs/depth.md has the rules.

    strategy   a built-in name, or "path/to/file.py:name" relative to `base`
    settings   further tables and keys of `DepthSettings`: instrument (tick_size and lot_size at least), account, venue,
               step_ns, sample_ns
    sets       "path=value"

    No fees, and the account's currency, USD, where nothing else is said. Raises ConfigError, StrategyError,
    BacktestError, OSError.
    """
    return run(settings_for(strategy, params, balance=balance, sets=sets, **settings), events, base)


def run(settings: DepthSettings, events: DepthEvents, base: Path) -> DepthResult:
    """Raises StrategyError, BacktestError."""
    maker = load_maker(settings.kind, base)
    executed = replay(settings, events, maker.instantiate(settings.strategy))
    return DepthResult(settings, events, maker, executed)


def settings_for(
    strategy: str,
    params: Mapping[str, bool | int | float] | None = None,
    *,
    balance: str = "100000",
    sets: Sequence[str] = (),
    **settings: Any,
) -> DepthSettings:
    """What `depth_backtest` would run with. Raises ConfigError."""
    raw = plain({"instrument": {}, "account": {}, **settings, "kind": strategy, "strategy": dict(params or {})})
    apply_overrides(raw, sets)  # before the defaults, some of which follow from what is given
    currency = currency_of(raw)
    raw["account"] = {"currency": currency, "balance": balance} | raw["account"]
    raw["instrument"] = {"id": "DATA:depth", "asset_class": "spot", "currency": currency} | raw["instrument"]
    return settings_of(raw)
