"""What a report tells of: a backtest of one instrument and one of a whole config alike."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from tradingd.backtesting.metrics import Metrics
from tradingd.backtesting.report.origin import command
from tradingd.backtesting.result import Result, Traded
from tradingd.columns import F64, I64, TIMEFRAMES
from tradingd.feeds.bars.table import Bars
from tradingd.instruments import AccountSettings
from tradingd.strategies.contract import CompiledStrategy, StrategyError
from tradingd.strategies.settings import StrategySettings

if TYPE_CHECKING:
    from tradingd.backtesting.portfolio import Portfolio
    from tradingd.core.memory import Library, Loaded

Params = dict[str, Any]
NAMED_MAX = 3  # instruments in a title
NOTHING_TO_HOLD = "The first price is not above 0, so there is nothing to hold for comparison."


@dataclass(frozen=True)
class Kind:
    """A strategy or an exit with all of its parameters, of which some were `given`."""

    role: str
    kind: str
    params: Params
    given: frozenset[str]


@dataclass(frozen=True)
class Part:
    """What was traded of one instrument.

    trades   its round trips; rates: (fills,); metrics; all in the money of the account that all counts in
    lines    what strategies draw over its candles, (bars,) prices by name
    decided_by_one   whether its signals are those of one strategy, so that they tell where its stops stood
    """

    asset: Traded
    trades: pl.DataFrame
    rates: F64
    metrics: Metrics
    lines: dict[str, F64]
    decided_by_one: bool


@dataclass(frozen=True)
class Told:
    """ts_ns, shown_ns, equity, exposure   (n,) closes, the times at which the curve shows them, what stood then
    held   (n,) equity of who held the instrument instead; None where that can not be, and of a config
    """

    title: str
    account: AccountSettings
    initial: float
    ts_ns: I64
    shown_ns: I64
    equity: F64
    exposure: F64
    held: F64 | None
    metrics: Metrics
    financing: dict[str, float]
    parts: tuple[Part, ...]
    slippage: tuple[float, int]  # rate, ticks
    kinds: tuple[Kind, ...]
    why_no_trades: str | None
    said: tuple[str, ...]  # out of the ordinary, in words
    again: str  # how the command gives this run again
    command: str
    data: Mapping[str, str]  # digests by what they are of
    code: str
    library: "Library"
    settings: msgspec.Struct

    @property
    def currency(self) -> str:
        return self.account.currency

    @property
    def trades(self) -> pl.DataFrame:
        """As a portfolio has them; `part` is the index of the instrument."""
        frames = (part.trades.with_columns(part=pl.lit(n)) for n, part in enumerate(self.parts))
        return pl.concat(frames).sort("entry_ts_ns", maintain_order=True)


def of_result(result: Result) -> Told:
    """Raises StrategyError for lines that do not fit the bars."""
    settings, bars, held = result.settings, result.bars, _held(result)
    drawn = _lines(settings.kind, result.library[settings.kind], settings.strategy, bars)
    part = Part(result, result.trades, np.ones(len(result.fills)), result.metrics, drawn, decided_by_one=True)
    return Told(
        title=f"{settings.kind} on {settings.instrument.id}",
        account=settings.account,
        initial=result.initial,
        ts_ns=bars.ts_close_ns,
        shown_ns=bars.ts_open_ns,
        equity=result.executed.equity,
        exposure=result.equity["exposure"].to_numpy(),
        held=held,
        metrics=result.metrics,
        financing=result.financing,
        parts=(part,),
        slippage=(settings.simulation.slippage_rate, settings.simulation.slippage_ticks),
        kinds=(
            _kind("strategy", settings.kind, settings.strategy, result.library),
            *(_kind("exit", leave.kind, leave.params, result.library) for leave in settings.exits),
        ),
        why_no_trades=result.why_no_trades(),
        said=() if held is not None else (NOTHING_TO_HOLD,),
        again="Gives this run again; FILE is the bars that have the data digest below.",
        command=command(result),
        data={"data digest": result.data},
        code=result.code,
        library=result.library,
        settings=settings,
    )


def of_portfolio(portfolio: "Portfolio") -> Told:
    """Raises StrategyError for lines that do not fit the bars."""
    core, equity = portfolio.core, portfolio.equity
    names = ", ".join(strategy.name for strategy in core.strategies) or "no strategy"
    return Told(
        title=f"{names} on {_named([asset.instrument.id for asset in portfolio.assets])}",
        account=portfolio.account,
        initial=portfolio.initial,
        ts_ns=portfolio.ts_ns,
        shown_ns=portfolio.ts_ns - 1,  # the end of a bar of a day is of that day
        equity=equity["equity"].to_numpy(),
        exposure=equity["exposure"].to_numpy(),
        held=None,
        metrics=portfolio.metrics,
        financing=portfolio.financing,
        parts=tuple(_parts(portfolio)),
        slippage=(core.simulation.slippage_rate, core.simulation.slippage_ticks),
        kinds=tuple(kind for strategy in core.strategies for kind in _kinds(strategy, portfolio.library)),
        why_no_trades=None if portfolio.trades.height else f"no trades: {portfolio.why_no_trades()}",
        said=tuple(_said(portfolio)),
        again="Gives this run again; CONFIG has the settings below, and its feed the bars with the digests below.",
        command=shlex.join(["trade", "backtest", "--config", "CONFIG"]),
        data={f"data of {asset.instrument.id}": asset.bars.digest() for asset in portfolio.assets},
        code=portfolio.code,
        library=portfolio.library,
        settings=core,
    )


def _named(ids: Sequence[str]) -> str:
    return ", ".join(ids) if len(ids) <= NAMED_MAX else f"{len(ids)} instruments"


def _held(result: Result) -> F64 | None:
    """Equity of who bought for all money at the first open and held, without costs; None where that was not above 0."""
    first = float(result.bars.open[0])
    return result.initial * result.bars.close / first if first > 0 else None


def _kind(role: str, kind: str, given: Params, library: "Library") -> Kind:
    strategy = library[kind]
    if isinstance(strategy, CompiledStrategy):
        return Kind(role, kind, strategy.resolve(given), frozenset(given))
    params: Params = msgspec.to_builtins(strategy.instantiate(given).params)
    return Kind(role, kind, params, frozenset(given))


def _kinds(strategy: StrategySettings, library: "Library") -> Iterator[Kind]:
    """The strategy's own, with what it trades, and its exits."""
    own = _kind(strategy.name, strategy.kind, strategy.params, library)
    on = {"timeframe": strategy.timeframe, "instruments": ", ".join(strategy.instruments)}
    more = {"allocation": strategy.allocation} if strategy.allocation != 1.0 else {}
    yield Kind(own.role, own.kind, on | more | own.params, own.given | on.keys() | more.keys())
    for leave in strategy.exits:
        yield _kind(f"exit of {strategy.name}", leave.kind, leave.params, library)


def _parts(portfolio: "Portfolio") -> Iterator[Part]:
    for asset in portfolio.assets:
        own = [each for each in portfolio.core.strategies if asset.instrument.id in each.instruments]
        told = portfolio.trades_of(asset), portfolio.rates_of_fills(asset).to_numpy()
        figures, drawn = portfolio.figures[asset.instrument.id], _drawn(own, asset, portfolio)
        yield Part(asset, *told, figures, drawn, decided_by_one=len(own) == 1)


def _drawn(strategies: Sequence[StrategySettings], asset: Traded, portfolio: "Portfolio") -> dict[str, F64]:
    """Of those that are stepped with the bars of the candles, alone; with its name where there are several."""
    timeframe = TIMEFRAMES[asset.bars.timeframe]
    drawn: dict[str, F64] = {}
    for strategy in (each for each in strategies if each.timeframe == timeframe):
        loaded, prefix = portfolio.library[strategy.kind], f"{strategy.name} " if len(strategies) > 1 else ""
        own = _lines(strategy.kind, loaded, strategy.params, asset.bars) if loaded.legs == 1 else {}
        drawn |= {f"{prefix}{name}": values for name, values in own.items()}
    return drawn


def _lines(kind: str, strategy: "Loaded", params: Params, bars: Bars) -> dict[str, F64]:
    """What the strategy declares. Raises StrategyError."""
    if isinstance(strategy, CompiledStrategy):
        drawn = strategy.lines(strategy.resolve(params), bars)
    else:
        instance = strategy.instantiate(params)
        drawn = instance.strategy.lines(instance.params, bars)
    return {name: _checked(kind, name, values, len(bars)) for name, values in drawn.items()}


def _checked(kind: str, name: str, values: F64, bars: int) -> F64:
    column = np.asarray(values, np.float64)
    if column.shape != (bars,):
        raise StrategyError(f"strategy {kind}: line {name!r} is {column.shape}, and there are {bars} bars")
    return column


def _said(portfolio: "Portfolio") -> Iterator[str]:
    if portfolio.refused and portfolio.trades.height:
        first = portfolio.refused[0]
        yield f"Orders refused: {len(portfolio.refused):,}, the first by {first.rule}, because {first.text}."
    if portfolio.rejected:
        yield f"{portfolio.why_rejected[0].upper()}{portfolio.why_rejected[1:]}."
