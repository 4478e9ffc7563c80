"""trade backtest: a strategy on bars, by the kernel engine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import frame
from .options import AsJson, Overrides
from .output import Mood, answer, counted, styled, table

if TYPE_CHECKING:
    from tradingd.backtesting.metrics import Metrics
    from tradingd.backtesting.result import Result


def backtest(
    strategy: Annotated[
        str, typer.Option("--strategy", "-s", metavar="KIND", help="Built in, or file.py:name.", show_default=False)
    ],
    data: Annotated[
        Path,
        typer.Option("--data", "-d", metavar="FILE", help="Bars: Parquet of a catalogue, or CSV.", show_default=False),
    ],
    balance: Annotated[str, typer.Option(metavar="MONEY", help="What the account begins with.")] = "100000",
    overrides: Overrides = None,
    trades: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the round trips as Parquet.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a strategy on the bars of one instrument and say what it came to.

    --set strategy.NAME is a parameter of the strategy; docs/backtesting.md has the other settings. Without a single
    trade the answer is no (1), with the reason.

    Example: trade backtest --strategy sma_cross --data data/US+GOOG/bars-1d.parquet --set strategy.fast=10
    """
    from tradingd.backtesting.run import backtest as tested

    result = tested(strategy, data, balance=balance, sets=overrides or [])
    if trades:
        result.trades.write_parquet(trades)
    answer(result.to_dict(), _lines(result), as_json)
    if why := result.why_no_trades():
        typer.echo(why, err=True)
        raise typer.Exit(frame.NO)


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
        ("longest drawdown", f"{_number(m.longest_drawdown_days)} days"),
        ("Calmar", _number(m.calmar)),
        ("final equity", f"{_number(m.final_equity)} {currency}"),
        ("fees", f"{_number(m.fees)} {currency}"),
    ]
    right = [
        ("trades", f"{m.closed_trades:,}" + (f" and {m.open_trades} open" if m.open_trades else "")),
        ("win rate", _percent(m.win_rate)),
        ("profit factor", _number(m.profit_factor)),
        ("expectancy", f"{_number(m.expectancy)} {currency}"),
        ("best trade", _percent(m.best_trade_return)),
        ("worst trade", _percent(m.worst_trade_return)),
        ("average bars held", _number(m.average_holding_bars)),
        ("average MAE, MFE", f"{_percent(m.average_mae)}, {_percent(m.average_mfe)}"),
        ("time in market", _percent(m.time_in_market)),
        ("turnover per year", f"{_number(m.turnover_per_year)} x equity"),
    ]
    return [(*a, *b) for a, b in zip(_toned(left, m), right, strict=True)]


def _toned(rows: list[tuple[str, str]], m: "Metrics") -> list[tuple[str, str]]:
    mood = Mood.GOOD if (m.total_return or 0.0) > 0.0 else Mood.BAD
    return [(rows[0][0], styled(rows[0][1], mood)), *rows[1:]]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"
