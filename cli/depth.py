"""trade depth: a market maker on recorded depth and trades."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import frame
from .options import AsJson, Overrides, written_file
from .output import Mood, answer, counted, styled, table

if TYPE_CHECKING:
    from tradingd.backtesting.depth.result import DepthResult


class Format(Enum):
    EVENTS = "events"
    BINANCE = "binance"
    TARDIS = "tardis"
    TICKS = "ticks"


class Gaps(Enum):
    ERROR = "error"
    CLEAR = "clear"


def depth(
    strategy: Annotated[
        str, typer.Option("--strategy", "-s", metavar="KIND", help="Built in, or file.py:name.", show_default=False)
    ],
    data: Annotated[Path, typer.Option("--data", "-d", metavar="FILE", help="Recorded depth.", show_default=False)],
    form: Annotated[Format, typer.Option("--format", help="What the file is.")] = Format.EVENTS,
    trades: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Trades beside it: tardis, ticks.", show_default=False)
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of several in a file: binance.", show_default=False)
    ] = None,
    gaps: Annotated[Gaps | None, typer.Option(help="What a missing diff is: binance.", show_default=False)] = None,
    clock_offset_ns: Annotated[
        int | None, typer.Option(metavar="NS", help="Added to times of receipt.", show_default=False)
    ] = None,
    feed_latency_ns: Annotated[
        int | None, typer.Option(metavar="NS", help="Received that much after the event instead.", show_default=False)
    ] = None,
    balance: Annotated[str, typer.Option(metavar="MONEY", help="What the account begins with.")] = "100000",
    overrides: Overrides = None,
    fills: Annotated[Path | None, written_file("Write the fills as Parquet.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a market maker on the recorded depth and trades of one instrument, and say what it came to.

    --set strategy.NAME is a parameter of the maker; instrument.tick_size and instrument.lot_size are needed;
    docs/depth.md has the other settings. Without a single fill the answer is no (1), with the reason.

    Example: trade depth -s touch -d depth.csv --set instrument.tick_size=0.5 --set instrument.lot_size=0.01
    """
    from tradingd.backtesting.depth import reading
    from tradingd.backtesting.depth.run import run, settings_for

    settings = settings_for(strategy, balance=balance, sets=overrides or [])
    given = {
        "trades": trades,
        "symbol": symbol,
        "gaps": gaps.value if gaps else None,
        "clock_offset_ns": clock_offset_ns,
        "feed_latency_ns": feed_latency_ns,
    }
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    grids = {"tick_size": settings.instrument.tick_size, "lot_size": settings.instrument.lot_size}
    events = reading.read_depth(data, reading.Format(form.value), options, **grids)
    result = run(settings, events, Path())
    if fills:
        result.fills.write_parquet(fills)
    answer(result.to_dict() if as_json else {}, _lines(result), as_json)
    if not result.counts["fills"]:
        typer.echo(f"no fills: {_why(result)}", err=True)
        raise typer.Exit(frame.NO)


def _why(result: "DepthResult") -> str:
    counts, kind = result.counts, result.settings.kind
    if not counts["orders"]:
        return f"{kind} sent no order in {counted(counts['steps'], 'step')}"
    ends = ", ".join(f"{counts[name]:,} {name}" for name in ("canceled", "expired", "rejected") if counts[name])
    return (
        f"{kind} sent {counted(counts['orders'], 'order')}, and the market reached none of them ({ends or 'all rest'})"
    )


def _lines(result: "DepthResult") -> list[str]:
    settings = result.settings
    params = "".join(f" {name}={value}" for name, value in settings.strategy.items())
    first, last = result.equity["ts"][0], result.equity["ts"][-1]
    heading = (
        f"{settings.kind}{params} on {settings.instrument.id}: {counted(len(result.events), 'event')}, "
        f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}, "
        f"tick {settings.instrument.tick_size:g}, lot {settings.instrument.lot_size:g}"
    )
    return [heading, "", *table(_figures(result.summary, settings.account.currency))]


def _figures(summary: dict[str, Any], currency: str) -> list[tuple[str, str, str, str]]:
    """Money, then counts."""
    mood = Mood.GOOD if summary["profit"] > 0.0 else Mood.BAD
    money = ("profit", "fees", "realized", "turnover", "max_drawdown", "final_equity")
    amounts = [(name.replace("_", " "), f"{summary[name]:,.2f} {currency}") for name in money]
    amounts[0] = (amounts[0][0], styled(amounts[0][1], mood))
    sizes = [(name.replace("_", " "), f"{summary[name]:,.12g}") for name in ("bought", "sold", "final_position")]
    counts = ("steps", "orders", "filled", "canceled", "too_late", "expired", "rejected", "fills", "maker_fills")
    numbers = [(name.replace("_", " "), f"{summary[name]:,}") for name in counts]
    return [(*a, *b) for a, b in zip([*amounts, *sizes], numbers, strict=True)]
