"""The page: sections from the other files, put into page.html with its style, scripts and data."""

from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from tradingd.backtesting.drawdowns import DAY_NS
from tradingd.backtesting.report.drawings import histogram, scatter
from tradingd.backtesting.report.figures import groups, span, tiles
from tradingd.backtesting.report.markup import Html, joined, script_data, tag
from tradingd.backtesting.report.origin import command, origin, params_of, settings_text
from tradingd.backtesting.report.sampling import NS
from tradingd.backtesting.report.series import Series, bar_seconds, chart_data, daily_of, has_protection
from tradingd.backtesting.report.tables import costs, drawdowns, gross_and_net, market, months, notices
from tradingd.backtesting.result import Result

SCRIPTS = ("vendor/lightweight-charts.js", "charts.js", "trades.js")


def write_report(result: Result, path: Path) -> None:
    """One HTML file that loads nothing. Raises OSError, and StrategyError for lines that do not fit the bars."""
    path.write_text(page(result), encoding="utf-8")


def page(result: Result) -> str:
    data = chart_data(result)
    metrics, currency = result.metrics, result.settings.account.currency
    return Template(_file("page.html")).substitute(
        title=escape(f"{result.settings.kind} on {result.settings.instrument.id}"),
        style=_file("report.css"),
        scripts=joined(tag("script", Html(_file(name))) for name in SCRIPTS),
        data=script_data(data),
        period=escape(_period(result)),
        params=_params(result),
        notices=joined(tag("p", text, kind="notice") for text in notices(result)),
        tiles=tiles(metrics, currency),
        figures=groups(metrics, currency),
        market=market(result),
        sampled=escape(_sampled(result, data)),
        rolling=escape(_rolling(data)),
        months=months(result),
        drawdowns=drawdowns(result),
        drawings=_drawings(result),
        capped=escape(_capped(result, data)),
        profit=gross_and_net(result),
        costs=costs(result),
        command=escape(command(result)),
        origin=origin(result),
        settings=settings_text(result),
    )


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _period(result: Result) -> str:
    bars, settings = result.bars, result.settings
    unit = "D" if bar_seconds(bars) * NS >= DAY_NS else "m"
    first, last = (
        str(np.datetime64(int(ns), "ns").astype(f"datetime64[{unit}]")).replace("T", " ")
        for ns in (bars.ts_open_ns[0], bars.ts_close_ns[-1] - (unit == "D"))
    )
    bars_text = f"{len(bars):,} {'bar' if len(bars) == 1 else 'bars'} of {span(bar_seconds(bars))}"
    return f"{first} to {last} UTC; {bars_text}; {settings.account.balance} {settings.account.currency}"


def _params(result: Result) -> Html:
    """Of the strategy and of its exits; those that were not given are the defaults."""
    settings = result.settings
    lists = [_param_list("strategy", result, settings.kind, settings.strategy)]
    lists += [_param_list("exit", result, leave.kind, leave.params) for leave in settings.exits]
    return joined(lists)


def _param_list(role: str, result: Result, kind: str, given: dict[str, Any]) -> Html:
    parts = [
        tag("li", f"{name} = {value}", *([] if name in given else [tag("small", " default")]))
        for name, value in params_of(result, kind, given).items()
    ]
    return tag("ul", tag("li", tag("small", f"{role} "), kind), *parts, kind="params")


def _sampled(result: Result, data: Series) -> str:
    """What the charts do not show of so many bars."""
    size, said = data["bars_per_candle"], ""
    if size > 1:
        said = f"Each candle holds {size:,} bars; lines and stops are those at its end."
    if not has_protection(result, size):
        said += " Stops are left out, because most trades are shorter than a candle."
    return f"{said} {_capped(result, data)}".strip()


def _rolling(data: Series) -> str:
    if data["rolling"] is None:
        return "Too few days for a rolling ratio: it takes 42."
    return f"Of the last {data['rolling']['days']} days, annual."


def _capped(result: Result, data: Series) -> str:
    held, every = len(data["trades"]["side"]), len(result.trades)
    return f"The first {held:,} of {every:,} trades are shown; --trades has all." if held < every else ""


def _drawings(result: Result) -> Html:
    closed = result.trades.filter(result.trades["exit_ts_ns"].is_not_null())
    daily = daily_of(result)["return"].drop_nulls().to_numpy()
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
