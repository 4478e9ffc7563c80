"""The tables of the report: months, drawdowns, costs, and what the market alone did."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from tradingd.backtesting.drawdowns import DAY_NS, deepest_drawdowns
from tradingd.backtesting.metrics import monthly_returns, relative_to
from tradingd.backtesting.report.figures import UNDEFINED, Form, forms, shown
from tradingd.backtesting.report.markup import Html, table, tag
from tradingd.backtesting.report.sampling import NS
from tradingd.backtesting.report.series import daily_of, daily_of_holding, finest_s
from tradingd.backtesting.report.told import Part, Told
from tradingd.backtesting.result import REASONS

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DRAWDOWNS = 10
FULL_HEAT = 0.1  # the return of a month from which on a cell has the full colour


def months(told: Told) -> Html:
    """A row per year, with what its months make together."""
    monthly = monthly_returns(daily_of(told), told.initial)
    years = monthly.partition_by("year", maintain_order=True)
    return table("Monthly returns", ("Year", *MONTHS, "Year in all"), [_year(year) for year in years], "months")


def _year(months_of_it: pl.DataFrame) -> list[str]:
    returns = dict(zip(months_of_it["month"].to_list(), months_of_it["return"].to_list(), strict=True))
    cells = [_heat(returns[month]) if month in returns else tag("td") for month in range(1, 13)]
    return [str(months_of_it["year"][0]), *cells, _heat(year_return(months_of_it["return"]))]


def year_return(months_of_it: pl.Series) -> float | None:
    """None where one of them is undefined."""
    return None if months_of_it.has_nulls() else float((months_of_it + 1.0).product()) - 1.0


def _heat(value: float | None) -> Html:
    if value is None:
        return tag("td", UNDEFINED)
    strength = min(abs(value) / FULL_HEAT, 1.0)
    return tag(
        "td",
        f"{value:+.1%}" if value else "0.0%",
        kind="win" if value >= 0 else "loss",
        style=f"--heat:{strength * 60:.0f}%",
    )


def drawdowns(told: Told) -> Html:
    deepest = deepest_drawdowns(told.ts_ns, told.equity, told.initial, DRAWDOWNS)
    if deepest.is_empty():
        return tag("p", "Equity never stood below its peak.", kind="quiet")
    rows = [_drawdown(row, finest_s(told)) for row in deepest.iter_rows()]
    head = ("Peak", "Valley", "Recovery", "Depth", "Days to recovery")
    return table("The deepest drawdowns", head, rows)


def _drawdown(row: tuple[int, int, int | None, float, float], bar_s: float) -> tuple[str, ...]:
    peak, valley, recovery, depth, days = row
    until = "not yet" if recovery is None else close_text(recovery, bar_s)
    in_days = f"{days:,.1f}" + (" so far" if recovery is None else "")
    return close_text(peak, bar_s), close_text(valley, bar_s), until, f"{depth:.2%}", in_days


def close_text(ts_ns: int, bar_s: float) -> str:
    """The day of a bar of a day or more is the one that it ends; else the minute."""
    if bar_s * NS >= DAY_NS:
        return str(np.datetime64(ts_ns - 1, "ns").astype("datetime64[D]"))
    return str(np.datetime64(ts_ns, "ns").astype("datetime64[m]")).replace("T", " ")


def costs(told: Told) -> Html:
    """Fills by why they were, and what they cost."""
    by_reason = {row[0]: row[1:] for row in cost_frame(told).iter_rows()}
    money = forms(told.initial)["money"]
    rows = [_cost(name, by_reason[name], money) for name in REASONS if name in by_reason]
    rows.append(
        _cost("all", [sum(column) for column in zip((0, 0.0, 0.0, 0.0), *by_reason.values(), strict=True)], money)
    )
    currency = told.currency
    head = ("Reason", "Fills", f"Notional, {currency}", f"Fees, {currency}", f"Slippage, {currency}")
    return table("Fills and what they cost", head, rows)


def _cost(name: str, numbers: Sequence[float], money: Form) -> tuple[str, ...]:
    fills, notional, fees, slippage = numbers
    return name.replace("_", " "), f"{fills:,}", money(notional), money(fees), money(slippage)


def cost_frame(told: Told) -> pl.DataFrame:
    """reason, fills, notional, fees, slippage with the spread. What rounding to the tick took is not counted;
    limit orders have none."""
    fills = pl.concat([_costs(part, told.slippage) for part in told.parts])
    return fills.group_by("reason", maintain_order=True).agg(
        pl.len(), pl.col("notional").sum(), pl.col("fee").sum(), pl.col("slippage").sum()
    )


def _costs(part: Part, slippage: tuple[float, int]) -> pl.DataFrame:
    """A row per fill."""
    instrument, (rate, ticks) = part.asset.instrument, slippage
    units = pl.col("quantity").abs() * instrument.multiplier * pl.Series(part.rates)
    half_ticks = (
        pl.when(pl.col("quantity") > 0).then(instrument.half_ticks_to(1)).otherwise(instrument.half_ticks_to(-1))
    )
    slip = rate * pl.col("price").abs() + (ticks + half_ticks / 2) * instrument.tick_size
    return part.asset.fills.select(
        "reason",
        pl.col("fee") * pl.Series(part.rates),
        notional=units * pl.col("price").abs(),
        slippage=pl.when(pl.col("is_limit")).then(0.0).otherwise(units * slip),
    )


def gross_and_net(told: Told) -> Html:
    """The profit, and what it would have been if the same fills had cost nothing."""
    spent, money = cost_frame(told), forms(told.initial)["money"]
    fees, slippage = float(spent["fee"].sum()), float(spent["slippage"].sum())
    net = float(told.equity[-1]) - told.initial
    holding = {name: cost for name, cost in told.financing.items() if cost}
    spent_in_all = fees + slippage + sum(holding.values())
    rows = [
        ("before costs", money(net + spent_in_all)),
        ("fees", money(0.0 - fees)),
        ("slippage", money(0.0 - slippage)),
        *((name, money(0.0 - cost)) for name, cost in holding.items()),
        ("after costs", money(net)),
        ("costs of the profit before them", _fraction(spent_in_all, net + spent_in_all)),
    ]
    return table(f"Profit before and after costs, {told.currency}", (), rows)


def _fraction(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole > 0 else UNDEFINED


def market(told: Told) -> Html:
    """Against who bought the instrument at the first open and held it, by days; nothing where that can not be."""
    benchmark = daily_of_holding(told)
    if benchmark is None:
        return Html()
    relative, ratio = relative_to(daily_of(told), benchmark), forms(1.0)["ratio"]
    rows = [
        ("return of holding", f"{benchmark['equity'][-1] / told.initial - 1.0:.2%}"),
        ("beta", shown(relative.beta, ratio)),
        ("alpha, annual", shown(relative.alpha, forms(1.0)["percent"])),
        ("correlation", shown(relative.correlation, ratio)),
        ("days", f"{relative.days:,}"),
    ]
    return table("Against holding it, no costs", (), rows)


def instruments(told: Told) -> Html:
    """Of several, what each has done, as if the account held nothing else."""
    if len(told.parts) == 1:
        return Html()
    of_money = (f"Profit, {told.currency}", f"Fees, {told.currency}")
    of_returns = ("Return", "Max drawdown", "In the market", "Largest exposure")
    rows = [_instrument(part, forms(told.initial)) for part in told.parts]
    return table(
        "Each instrument, as if the account held nothing else",
        ("Instrument", "Trades", "Won", *of_money, *of_returns),
        rows,
    )


def _instrument(part: Part, by_unit: dict[str, Form]) -> tuple[str, ...]:
    m, money, ratio = part.metrics, by_unit["money"], by_unit["percent"]
    profit = None if m.final_equity is None else m.final_equity - m.initial_equity
    fractions = (m.total_return, m.max_drawdown, m.time_in_market, m.max_exposure)
    return (
        part.asset.instrument.id, f"{m.closed_trades:,}", shown(m.win_rate, ratio), shown(profit, money),
        shown(m.fees, money), *(shown(value, ratio) for value in fractions),
    )  # fmt: skip


def notices(told: Told) -> Iterator[str]:
    """What is out of the ordinary, in words."""
    metrics, equity = told.metrics, told.equity
    if why := told.why_no_trades:
        yield f"{why[0].upper()}{why[1:]}."
    elif not metrics.closed_trades:
        yield "No trade has ended yet, so that the figures of trades are undefined (–)."
    yield from told.said
    if metrics.bars == 1:
        yield "There is one bar: nothing can be traded on it, because what is decided at its close needs a next open."
    elif metrics.days == 1:
        yield "All bars are of one UTC day, so that what is counted by days is undefined (–)."
    if (equity <= 0).any():
        at = close_text(int(told.ts_ns[int(np.argmax(equity <= 0))]), finest_s(told))
        yield f"Equity was at or below 0 from {at} on: what is made of returns is undefined (–)."
    elif (equity == equity[0]).all() and metrics.bars > 1:
        yield "Equity never moved: there is no volatility, and no ratio to it."
