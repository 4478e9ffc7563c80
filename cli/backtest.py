"""trade backtest: a strategy on bars."""

from collections import Counter
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import frame
from .options import AsJson, Overrides, written_file
from .output import Mood, answer, counted, styled, table

if TYPE_CHECKING:
    from tradingd.backtesting.metrics import Metrics
    from tradingd.backtesting.portfolio import Portfolio
    from tradingd.backtesting.result import Result


BALANCE = "100000"


class Engine(Enum):
    KERNEL = "kernel"
    EVENT = "event"


def backtest(
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", "-s", metavar="KIND", help="Built in, or file.py:name.", show_default=False),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            "-d",
            metavar="FILE",
            help="Bars: Parquet of a catalogue, or CSV; again for each instrument of one account.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="All that a daemon would do instead.", show_default=False),
    ] = None,
    balance: Annotated[
        str | None, typer.Option(metavar="MONEY", help="What the account begins with: 100000.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    funding: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Recorded funding rates: CSV, Parquet, Feather.")
    ] = None,
    engine: Annotated[Engine | None, typer.Option(help="Default: kernel; event where there is a --journal.")] = None,
    journal: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Keep all events in a new journal.")] = None,
    compare_engines: Annotated[
        bool, typer.Option("--compare-engines", help="Prove that both engines and a paper daemon trade the same.")
    ] = False,
    report: Annotated[Path | None, written_file("Write a page of HTML with charts.")] = None,
    trades: Annotated[Path | None, written_file("Write the round trips as Parquet.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a strategy on bars, or a whole config on its recorded data, and say what it came to.

    Several files are several instruments in one account: each has an equal part of it, or a strategy of several at once
    takes them in this order.

    --set strategy.NAME is a parameter of the strategy; docs/backtesting.md has the other settings. Without a single
    trade the answer is no (1), with the reason.

    Example: trade backtest --strategy sma_cross --data data/US+GOOG/bars-1d.parquet --set strategy.fast=10
    """
    if config:
        own = {"balance": balance, "engine": engine, "funding": funding, "compare_engines": compare_engines}
        _refuse_with_config(strategy=strategy, data=data, **own)
        from tradingd.backtesting.portfolio import backtest_config

        _tell(backtest_config(config, overrides or [], journal), trades, report, as_json)
        return
    if not strategy or not data:
        raise frame.UsageError("give --strategy and --data, or --config: `trade backtest -h` has an example")
    if len(data) > 1:
        kernel = engine if engine is Engine.KERNEL else None
        _refuse_with_several(funding=funding, engine=kernel, compare_engines=compare_engines)
        from tradingd.backtesting.several import backtest_several

        made = backtest_several(strategy, data, balance=balance or BALANCE, sets=overrides or [], journal=journal)
        _tell(made, trades, report, as_json)
        return
    from tradingd.backtesting.run import backtest as tested

    by = engine or (Engine.EVENT if journal else Engine.KERNEL)
    result = tested(
        strategy,
        data[0],
        balance=balance or BALANCE,
        sets=overrides or [],
        engine=by.value,
        journal=journal,
        funding=funding,
    )
    _write(result, trades, report)
    engines = _compared(result) if compare_engines else {}
    # a digest of all bars takes longer than the run: only where it is told
    answer(result.to_dict() | engines if as_json else {}, _lines(result) + _told(engines), as_json)
    if any(engines.values()):
        raise typer.Exit(frame.NO)
    _end_with(result.why_no_trades())


def _refuse_with_config(**given: object) -> None:
    """A config names its strategies and its data, and it is run by the event engine."""
    for name, value in given.items():
        if value:
            raise frame.UsageError(f"--{name.replace('_', '-')} does not go with --config")


_WITH_SEVERAL = {
    "funding": "recorded rates are of one instrument; a config names those of each",
    "engine": "they are traded by the event engine",
    "compare_engines": "they are traded by the event engine alone",
}


def _refuse_with_several(**given: object) -> None:
    for name, why in _WITH_SEVERAL.items():
        if given[name]:
            raise frame.UsageError(f"--{name.replace('_', '-')} does not go with several files: {why}")


def _tell(portfolio: "Portfolio", trades: Path | None, report: Path | None, as_json: bool) -> None:
    _write(portfolio, trades, report)
    answer(portfolio.to_dict() if as_json else {}, _portfolio_lines(portfolio), as_json)
    _end_with(None if portfolio.trades.height else f"no trades: {portfolio.why_no_trades()}")


def _write(result: "Result | Portfolio", trades: Path | None, report: Path | None) -> None:
    if trades:
        result.trades.write_parquet(trades)
    if report:
        from tradingd.backtesting.report import write_report

        write_report(result, report)


def _end_with(why: str | None) -> None:
    if why:
        typer.echo(why, err=True)
        raise typer.Exit(frame.NO)


def _portfolio_lines(portfolio: "Portfolio") -> list[str]:
    metrics, equity, currency = portfolio.metrics, portfolio.equity, portfolio.account.currency
    names = ", ".join(strategy.name for strategy in portfolio.core.strategies) or "no strategy"
    first, last = equity["ts"][0].date(), equity["ts"][-1].date()
    many = counted(len(portfolio.assets), "instrument")
    heading = f"{names} on {many}: {counted(metrics.bars, 'close')}, {first} to {last}"
    figures = table(_figures(metrics, currency))
    assets = [_asset_row(name, own) for name, own in portfolio.figures.items()]
    return [heading, "", *figures, "", *table([_HEAD, *assets]), *_refusals(portfolio)]


_HEAD = ("", "trades", "won", "profit", "fees", "max drawdown")


def _asset_row(name: str, m: "Metrics") -> tuple[str, ...]:
    profit = None if m.final_equity is None else m.final_equity - m.initial_equity
    figures = (_percent(m.win_rate), _number(profit), _number(m.fees), _percent(m.max_drawdown))
    return name, f"{m.closed_trades:,}", *figures


def _refusals(portfolio: "Portfolio") -> list[str]:
    """What the gate has not let through, and what the feed could not read."""
    counts = Counter(refused.rule for refused in portfolio.refused)
    said = ", ".join(f"{count:,} by {rule}" for rule, count in counts.most_common())
    lines = [f"orders refused: {said}"] * bool(said) + [portfolio.why_rejected] * bool(portfolio.rejected)
    return ["", *lines] if lines else []


def _compared(result: "Result") -> dict[str, str | None]:
    """By engine, how it first differs from this result; None where it does not."""
    from tradingd.backtesting.parity import difference

    from .engines import others

    return {f"{name}_difference": difference(result.executed, made) for name, made in others(result, Path()).items()}


def _told(engines: dict[str, str | None]) -> list[str]:
    said = [f"{key.split('_')[0]}: {found or 'the same trades, to the last unit'}" for key, found in engines.items()]
    return ["", *said] if said else []


def _lines(result: "Result") -> list[str]:
    metrics, equity = result.metrics, result.equity
    first, last = equity["ts"][0].date(), equity["ts"][-1].date()
    settings = result.settings
    params = "".join(f" {name}={value}" for name, value in settings.strategy.items())
    heading = (
        f"{settings.kind}{params} on {settings.instrument.id}: {counted(metrics.bars, 'bar')}, {first} to {last}, "
        f"tick {settings.instrument.tick_size:g}, lot {settings.instrument.lot_size:g}"
    )
    return [heading, "", *table(_figures(metrics, settings.account.currency))]


def _figures(m: "Metrics", currency: str) -> list[tuple[str, str, str, str]]:
    """Two columns of names and values."""
    left = [
        ("return", _percent(m.total_return)),
        ("CAGR", _percent(m.cagr)),
        ("volatility", _percent(m.annual_volatility)),
        ("Sharpe", _number(m.sharpe)),
        ("Sortino", _number(m.sortino)),
        ("max drawdown", _percent(m.max_drawdown)),
        ("longest drawdown", _number(m.longest_drawdown_days, "days")),
        ("Calmar", _number(m.calmar)),
        ("final equity", _number(m.final_equity, currency)),
        ("fees", _number(m.fees, currency)),
    ]
    right = [
        ("trades", f"{m.closed_trades:,}" + (f" and {m.open_trades} open" if m.open_trades else "")),
        ("win rate", _percent(m.win_rate)),
        ("profit factor", _number(m.profit_factor)),
        ("expectancy", _number(m.expectancy, currency)),
        ("best trade", _percent(m.best_trade_return)),
        ("worst trade", _percent(m.worst_trade_return)),
        ("average bars held", _number(m.average_holding_bars)),
        ("average MAE, MFE", f"{_percent(m.average_mae)}, {_percent(m.average_mfe)}"),
        ("time in market", _percent(m.time_in_market)),
        ("turnover per year", _number(m.turnover_per_year, "x equity")),
    ]
    rows = [(*a, *b) for a, b in zip(_toned(left, m), right, strict=True)]
    return rows + [("financing", _number(m.financing, currency), "", "")] * (m.financing != 0.0)


def _toned(rows: list[tuple[str, str]], m: "Metrics") -> list[tuple[str, str]]:
    mood = Mood.GOOD if (m.total_return or 0.0) > 0.0 else Mood.BAD
    return [(rows[0][0], styled(rows[0][1], mood)), *rows[1:]]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _number(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:,.2f} {unit}".rstrip()
