"""A backtest as a picture and a table, for notebooks: inline, nothing is loaded."""

from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np

from tradingd.backtesting.metrics import Metrics

WIDTH, HEIGHT, FLOOR = 720, 180, 60  # of the picture, of equity's part, of drawdown's part
POINTS_MAX = 1000
SHOWN = {
    "total_return": ".1%",
    "cagr": ".1%",
    "sharpe": ".2f",
    "sortino": ".2f",
    "max_drawdown": ".1%",
    "calmar": ".2f",
    "closed_trades": ",",
    "win_rate": ".0%",
    "profit_factor": ".2f",
}


class Picture(str):
    """SVG text that notebooks show."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


def picture(ts_ns: Any, equity: Any) -> Picture:
    """The deepest drawdown of each stretch is kept where there are more bars than points."""
    peak = np.maximum.accumulate(equity)
    below = np.where(peak > 0.0, equity / np.where(peak > 0.0, peak, 1.0) - 1.0, 0.0)
    starts = np.unique(np.linspace(0, len(equity) - 1, min(len(equity), POINTS_MAX)).astype(np.int64))
    money, depth = equity[starts], np.minimum.reduceat(below, starts)
    first, last = (datetime.fromtimestamp(int(ns) / 1e9, UTC).date() for ns in (ts_ns[0], ts_ns[-1]))
    top = f"{float(np.max(equity)):,.0f}"
    return Picture(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + FLOOR + 20}" role="img" aria-label="equity and drawdown" '
        f'style="max-width:{WIDTH}px;width:100%;font:12px sans-serif">'
        f'<polyline fill="none" stroke="#2563eb" stroke-width="1.5" points="{_line(money, 4, HEIGHT)}"/>'
        f'<polyline fill="none" stroke="#dc2626" points="{_line(depth, HEIGHT + 8, HEIGHT + FLOOR)}"/>'
        f'<text x="2" y="12" fill="currentColor">{top}</text>'
        f'<text x="{WIDTH - 2}" y="{HEIGHT + FLOOR}" text-anchor="end" fill="#dc2626">{float(np.min(below)):.1%}</text>'
        f'<text x="2" y="{HEIGHT + FLOOR + 16}" fill="currentColor">{first}</text>'
        f'<text x="{WIDTH - 2}" y="{HEIGHT + FLOOR + 16}" text-anchor="end" fill="currentColor">{last}</text></svg>'
    )


def _line(values: Any, top: float, bottom: float) -> str:
    low, high = float(np.min(values)), float(np.max(values))
    x = np.linspace(0, WIDTH, len(values))
    y = bottom - (values - low) / (high - low or 1.0) * (bottom - top)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def figures_table(metrics: Metrics) -> str:
    rows = (
        f'<tr><th style="text-align:left">{escape(name.replace("_", " "))}</th>'
        f'<td style="text-align:right">{_text(getattr(metrics, name), form)}</td></tr>'
        for name, form in SHOWN.items()
    )
    return f"<table>{''.join(rows)}</table>"


def _text(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
