"""What a backtest is of: a strategy, an instrument, an account."""

from collections.abc import Mapping
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Struct

from tradingd.config.check import check
from tradingd.config.problems import ConfigError, Problem
from tradingd.events import TimeInForce
from tradingd.instruments import AccountSettings, Instrument
from tradingd.strategies.settings import ExitSettings, Kind, ParamValue


class SizingSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """max_leverage    gross exposure that sizing aims at, at most, as a multiple of equity
    risk_per_trade  fraction of equity that is lost when the stop is hit; None = size by target alone
    """

    max_leverage: Annotated[float, Meta(gt=0)] = 1.0
    risk_per_trade: Annotated[float, Meta(gt=0, le=1)] | None = None


class BarVenueSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """slippage_rate    fraction of the price by which market and stop orders fill worse than what they met
    slippage_ticks   and by so many ticks more
    volume_share     part of a bar's volume that our orders may fill together; None = as much as is wanted
    """

    slippage_rate: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    slippage_ticks: Annotated[int, Meta(ge=0)] = 0
    volume_share: Annotated[float, Meta(gt=0, le=1)] | None = None


class BacktestSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """kind        of the strategy: a built-in name or "path/to/file.py:name"
    strategy    its parameters
    allocation  fraction of the equity that a target of 1.0 stands for
    time_in_force   of orders that open or add
    """

    kind: Kind
    strategy: dict[str, ParamValue] = {}
    exits: tuple[ExitSettings, ...] = ()
    allocation: Annotated[float, Meta(gt=0, le=1)] = 1.0
    time_in_force: TimeInForce = TimeInForce.GTC
    instrument: Instrument
    account: AccountSettings
    risk: SizingSettings = SizingSettings()
    simulation: BarVenueSettings = BarVenueSettings()


class HasAccount(Protocol):
    @property
    def instrument(self) -> Instrument: ...

    @property
    def account(self) -> AccountSettings: ...


S = TypeVar("S", bound=HasAccount)


def settings_of(raw: Mapping[str, Any]) -> BacktestSettings:
    """Raises ConfigError, with a line for each problem."""
    try:
        return checked(raw, BacktestSettings)
    except ConfigError as error:
        raise ConfigError([_hinted(problem) for problem in error.problems]) from error


def _hinted(problem: Problem) -> Problem:
    """A name that nothing of these is like is most likely a parameter."""
    if "." in problem.path or not problem.text.startswith("unknown key ("):
        return problem
    of_strategy = f"unknown key; a parameter of the strategy is strategy.{problem.path}"
    return problem._replace(text=problem.text.replace("unknown key", of_strategy, 1))


def checked(raw: Mapping[str, Any], kind: type[S]) -> S:
    """Settings with an instrument and an account that go together. Raises ConfigError."""
    table = plain(raw)
    if problems := check(table, kind):
        raise ConfigError([_of_balance(problem) for problem in problems])
    settings = msgspec.convert(table, kind)
    _check_account(settings.account, settings.instrument.currency)
    return settings


def _of_balance(problem: Problem) -> Problem:
    """Money as people write it, where the form would be a regular expression."""
    if problem.path != "account.balance":
        return problem
    got = problem.text.rpartition("got ")[2]
    return problem._replace(text=f'expected money above 0 as text, like "100000" or "2500.50", got {got}')


def plain(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Tables and plain values of what notebooks are full of: NumPy's numbers, paths, settings that are made already."""
    table: dict[str, Any] = msgspec.to_builtins(raw, enc_hook=_plain)
    return table


def currency_of(table: Mapping[str, Any]) -> str:
    """Of account and instrument where one of them is given, or none."""
    currency: str = table["account"].get("currency", table["instrument"].get("currency", "USD"))
    return currency


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _check_account(account: AccountSettings, currency: str) -> None:
    if account.currency != currency:
        raise ConfigError([Problem("account.currency", f"is {account.currency}; the instrument's is {currency}")])
    try:
        units = account.balance_units
    except ValueError as error:
        raise ConfigError([Problem("account.balance", str(error))]) from error
    if units == 0:
        raise ConfigError([Problem("account.balance", "has to be above 0")])
    if units >= 2**62:
        raise ConfigError([Problem("account.balance", f"{account.balance} does not fit; give it a coarser unit")])
