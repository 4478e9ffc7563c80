"""The page: sections from the other files, put into page.html with its style, scripts and data."""

from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tradingd.backtesting.drawdowns import DAY_NS
from tradingd.backtesting.report.drawings import histogram, scatter
from tradingd.backtesting.report.figures import groups, span, tiles
from tradingd.backtesting.report.markup import Html, joined, script_data, tag
from tradingd.backtesting.report.origin import origin, settings_text
from tradingd.backtesting.report.sampling import NS
from tradingd.backtesting.report.series import Series, chart_data, daily_of, finest_s, has_protection
from tradingd.backtesting.report.tables import costs, drawdowns, gross_and_net, instruments, market, months, notices
from tradingd.backtesting.report.told import Kind, Told, of_portfolio, of_result
from tradingd.backtesting.result import Result

if TYPE_CHECKING:
    from tradingd.backtesting.portfolio import Portfolio

SCRIPTS = ("vendor/lightweight-charts.js", "charts.js", "trades.js")


def write_report(result: "Result | Portfolio", path: Path) -> None:
    """One HTML file that loads nothing. Raises OSError, and StrategyError for lines that do not fit the bars."""
    path.write_text(page(result), encoding="utf-8")


def page(result: "Result | Portfolio") -> str:
    told = of_result(result) if isinstance(result, Result) else of_portfolio(result)
    data = chart_data(told)
    return Template(_file("page.html")).substitute(
        title=escape(told.title),
        style=_file("report.css"),
        scripts=joined(tag("script", Html(_file(name))) for name in SCRIPTS),
        data=script_data(data),
        period=escape(_period(told)),
        params=joined(_param_list(kind) for kind in told.kinds),
        notices=joined(tag("p", text, kind="notice") for text in notices(told)),
        tiles=tiles(told.metrics, told.currency),
        figures=groups(told.metrics, told.currency),
        market=market(told),
        instruments=instruments(told),
        sampled=escape(_sampled(told, data)),
        rolling=escape(_rolling(data)),
        months=months(told),
        drawdowns=drawdowns(told),
        drawings=_drawings(told),
        capped=escape(_capped(told, data)),
        profit=gross_and_net(told),
        costs=costs(told),
        again=escape(told.again),
        command=escape(told.command),
        origin=origin(told),
        settings=settings_text(told),
    )


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _period(told: Told) -> str:
    unit = "D" if finest_s(told) * NS >= DAY_NS else "m"
    opened = min(int(part.asset.bars.ts_open_ns[0]) for part in told.parts)
    first, last = (
        str(np.datetime64(ns, "ns").astype(f"datetime64[{unit}]")).replace("T", " ")
        for ns in (opened, int(told.ts_ns[-1]) - (unit == "D"))
    )
    count = sum(len(part.asset.bars) for part in told.parts)
    bars_text = f"{count:,} {'bar' if count == 1 else 'bars'} of {span(finest_s(told))}"
    return f"{first} to {last} UTC; {bars_text}; {told.account.balance} {told.currency}"


def _param_list(kind: Kind) -> Html:
    """Those that were not given are the defaults."""
    parts = [
        tag("li", f"{name} = {value}", *([] if name in kind.given else [tag("small", " default")]))
        for name, value in kind.params.items()
    ]
    return tag("ul", tag("li", tag("small", f"{kind.role} "), kind.kind), *parts, kind="params")


def _sampled(told: Told, data: Series) -> str:
    """What the charts do not show of so many bars."""
    sizes = [asset["bars_per_candle"] for asset in data["assets"]]
    said = ""
    if max(sizes) > 1:
        many = f"{sizes[0]:,}" if len(set(sizes)) == 1 else f"up to {max(sizes):,}"
        said = f"Each candle holds {many} bars; lines and stops are those at its end."
    if not all(has_protection(part, size) for part, size in zip(told.parts, sizes, strict=True)):
        said += f" Stops are left out {_why_no_stops(told)}."
    return f"{said} {_capped(told, data)}".strip()


def _why_no_stops(told: Told) -> str:
    if all(part.decided_by_one for part in told.parts):
        return "where most trades are shorter than a candle"
    return "where several strategies decide together, or most trades are shorter than a candle"


def _rolling(data: Series) -> str:
    if data["rolling"] is None:
        return "Too few days for a rolling ratio: it takes 42."
    return f"Of the last {data['rolling']['days']} days, annual."


def _capped(told: Told, data: Series) -> str:
    held, every = len(data["trades"]["side"]), told.trades.height
    return f"The first {held:,} of {every:,} trades are shown; --trades has all." if held < every else ""


def _drawings(told: Told) -> Html:
    closed = told.trades.filter(pl.col("exit_ts_ns").is_not_null())
    daily = daily_of(told)["return"].drop_nulls().to_numpy()
    return joined(
        [
            histogram("Daily returns", daily, "daily returns"),
            histogram("Returns of trades", closed["return"].to_numpy(), "returns of closed trades"),
            scatter(
                "Excursions of trades, of the entry price",
                closed["mae"].to_numpy(),
                closed["mfe"].to_numpy(),
                (closed["profit"] > 0).to_list(),
            ),
        ]
    )
