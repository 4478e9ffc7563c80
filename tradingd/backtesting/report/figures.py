"""All figures of a run, in groups, as text."""

import math
from collections.abc import Callable

import msgspec

from tradingd.backtesting.metrics import Metrics
from tradingd.backtesting.report.markup import Html, joined, table, tag

UNDEFINED = "–"
HUGE_FRACTION, HUGE = 1e5, 1e12  # from which on an exponent is easier to read

Form = Callable[[float], str]


def span(value_s: float) -> str:
    """Seconds in the largest unit of which there is at least one."""
    for unit_s, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if value_s >= unit_s:
            return f"{value_s / unit_s:,.1f}".removesuffix(".0") + f" {name}"
    return f"{value_s:,.3g} s"


def percent(value: float) -> str:
    """A yearly return of a good hour has hundreds of digits."""
    return f"{value:,.2%}" if abs(value) < HUGE_FRACTION else f"{value * 100:.3g}%"


def number(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}" if abs(value) < HUGE else f"{value:.5g}"


def money_decimals(initial: float) -> int:
    """With which an account of that size is looked at: 2 of thousands, 4 of 10."""
    return max(2, 5 - math.floor(math.log10(initial)))


def forms(initial: float) -> dict[str, Form]:
    """By unit, for an account that began with `initial`."""
    decimals = money_decimals(initial)
    return {
        "percent": percent,
        "ratio": lambda value: number(value, 2),
        "count": lambda value: f"{value:,.0f}",
        "days": lambda value: f"{value:,.1f} d",
        "span": span,
        "money": lambda value: number(value, decimals),
        "unknown": lambda value: f"{value:,.6g}",
    }


GROUPS: dict[str, dict[str, str]] = {
    "Return": {
        "total_return": "percent",
        "cagr": "percent",
        "initial_equity": "money",
        "final_equity": "money",
        "best_day": "percent",
        "worst_day": "percent",
        "positive_days": "percent",
        "best_month": "percent",
        "worst_month": "percent",
        "positive_months": "percent",
        "bars": "count",
        "days": "count",
        "years": "ratio",
        "periods_per_year": "count",
    },
    "Risk": {
        "sharpe": "ratio",
        "probabilistic_sharpe": "percent",
        "sortino": "ratio",
        "calmar": "ratio",
        "omega": "ratio",
        "annual_volatility": "percent",
        "max_drawdown": "percent",
        "max_drawdown_days": "days",
        "longest_drawdown_days": "days",
        "average_drawdown": "percent",
        "ulcer_index": "percent",
        "var_95": "percent",
        "cvar_95": "percent",
        "tail_ratio": "ratio",
        "skewness": "ratio",
        "excess_kurtosis": "ratio",
    },
    "Trades": {
        "closed_trades": "count",
        "open_trades": "count",
        "win_rate": "percent",
        "profit_factor": "ratio",
        "payoff_ratio": "ratio",
        "kelly_fraction": "percent",
        "expectancy": "money",
        "average_win": "money",
        "average_loss": "money",
        "average_trade_return": "percent",
        "best_trade_return": "percent",
        "worst_trade_return": "percent",
        "average_mfe": "percent",
        "average_mae": "percent",
        "longest_winning_streak": "count",
        "longest_losing_streak": "count",
    },
    "Costs and exposure": {
        "fees": "money",
        "financing": "money",
        "borrow": "money",
        "funding": "money",
        "interest": "money",
        "turnover": "money",
        "turnover_per_year": "ratio",
        "time_in_market": "percent",
        "average_exposure": "percent",
        "max_exposure": "percent",
        "average_holding_s": "span",
        "longest_holding_s": "span",
        "average_holding_bars": "ratio",
        "longest_holding_bars": "count",
    },
}
LABELS = {
    "cagr": "CAGR",
    "sharpe": "Sharpe",
    "sortino": "Sortino",
    "calmar": "Calmar",
    "omega": "Omega",
    "kelly_fraction": "Kelly fraction",
    "ulcer_index": "Ulcer index",
    "var_95": "VaR 95 %, day",
    "cvar_95": "CVaR 95 %, day",
    "average_mfe": "average MFE",
    "average_mae": "average MAE",
    "average_holding_s": "average holding time",
    "longest_holding_s": "longest holding time",
    "average_holding_bars": "average bars held",
    "longest_holding_bars": "most bars held",
    "max_drawdown_days": "length of that drawdown",
    "longest_drawdown_days": "longest drawdown",
    "turnover_per_year": "turnover per year, in equities",
    "probabilistic_sharpe": "probabilistic Sharpe",
}
UNITS = {name: unit for units in GROUPS.values() for name, unit in units.items()}
TILES = ("total_return", "cagr", "sharpe", "max_drawdown", "closed_trades", "win_rate", "profit_factor", "fees")


def shown(value: float | None, form: Form) -> str:
    return UNDEFINED if value is None else form(value)


def groups(metrics: Metrics, currency: str) -> Html:
    """Every field of `Metrics`; those that no group has yet are in a group of their own."""
    values, by_unit = msgspec.structs.asdict(metrics), forms(metrics.initial_equity)
    more = {name: "unknown" for name in values if name not in UNITS}
    every = GROUPS | ({"More": more} if more else {})
    return joined(
        table(title, (), [(_label(name, currency), _text(values[name], unit, by_unit)) for name, unit in units.items()])
        for title, units in every.items()
    )


def tiles(metrics: Metrics, currency: str) -> Html:
    """The few that are looked at first."""
    by_unit = forms(metrics.initial_equity)
    texts = {name: _text(getattr(metrics, name), UNITS[name], by_unit) for name in TILES}
    cells = (tag("div", tag("dt", _label(name, currency)), tag("dd", text)) for name, text in texts.items())
    return tag("dl", *cells, kind="tiles")


def _text(value: float | None, unit: str, by_unit: dict[str, Form]) -> str:
    return shown(value, by_unit[unit])


def _label(name: str, currency: str) -> str:
    text = LABELS.get(name, name.replace("_", " "))
    return f"{text}, {currency}" if UNITS.get(name) == "money" else text
