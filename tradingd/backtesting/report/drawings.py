"""Histograms and scatters as SVG: no script is needed for them, and they print."""

from collections.abc import Sequence

import numpy as np

from tradingd.backtesting.report.markup import Html, tag
from tradingd.columns import F64

WIDTH, HEIGHT = 480, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 34  # margins
BINS_MAX = 41
POINTS_MAX = 1_500

Scale = tuple[float, float]


def histogram(title: str, values: F64, unit: str) -> Html:
    """Of fractions, shown as percent. A bar that is all below 0 has another look than the others."""
    if not len(values):
        return _empty(title, f"There are no {unit}.")
    edges = _bins(values)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    across, up = (float(edges[0]), float(edges[-1])), (0.0, float(counts.max()))
    bars = [
        _bar(int(count), low, high, across, up) for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
    said = f"{title}: {len(values):,} {unit}, median {np.median(values):.2%}"
    return _figure(title, said, [*bars, *_axis(across, up, "", unit)])


def _bins(values: F64) -> F64:
    """Edges, one of them at 0 where values are on both sides of it; all values equal make one bar."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.array([low - 0.0005, low + 0.0005])
    count = int(np.clip(np.sqrt(len(values)) * 1.5, 5, BINS_MAX))
    width = (high - low) / count
    return np.arange(np.floor(low / width), np.ceil(high / width) + 0.5) * width


def _bar(count: int, low: float, high: float, across: Scale, up: Scale) -> Html:
    left, right, top = _x(low, across), _x(high, across), _y(count, up)
    kind = "loss" if high <= abs(high - low) * 1e-6 else "win"
    name = tag("title", f"{low:.2%} to {high:.2%}: {count:,}")
    return tag(
        "rect",
        name,
        kind=kind,
        x=f"{left + 0.5:.1f}",
        y=f"{top:.1f}",
        width=f"{max(right - left - 1, 0.5):.1f}",
        height=f"{HEIGHT - BOTTOM - top:.1f}",
    )


def scatter(title: str, mae: F64, mfe: F64, won: Sequence[bool]) -> Html:
    """How far each trade was behind (across) and ahead (up); a circle has won, a cross has not."""
    if not len(mae):
        return _empty(title, "There are no trades.")
    chosen = np.unique(np.linspace(0, len(mae) - 1, min(len(mae), POINTS_MAX)).astype(int)).tolist()
    across, up = (float(mae.min()) or -0.001, 0.0), (0.0, float(mfe.max()) or 0.001)
    marks = [_mark(_x(float(mae[i]), across), _y(float(mfe[i]), up), won[i]) for i in chosen]
    said = f"{title}: {len(chosen):,} of {len(mae):,} trades"
    return _figure(title, said, [*marks, *_axis(across, up, "furthest ahead (MFE)", "furthest behind (MAE)", True)])


def _mark(x: float, y: float, won: bool) -> Html:
    if won:
        return tag("circle", kind="win", cx=f"{x:.1f}", cy=f"{y:.1f}", r="3")
    return tag("path", kind="loss", d=f"M{x - 3:.1f} {y - 3:.1f}l6 6m0-6l-6 6")


def _axis(across: Scale, up: Scale, up_name: str, across_name: str, is_percent: bool = False) -> list[Html]:
    """Lines at the border and at 0, numbers at the ends."""
    floor = HEIGHT - BOTTOM
    zero = _x(0.0, across) if across[0] <= 0.0 <= across[1] else None
    top = f"{up[1]:.1%}" if is_percent else f"{up[1]:,.0f}"
    parts = [
        tag("path", kind="axis", d=f"M{LEFT} {TOP}V{floor}H{WIDTH - RIGHT}"),
        _label(LEFT, floor + 14, f"{across[0]:.1%}", "start"),
        _label(WIDTH - RIGHT, floor + 14, f"{across[1]:.1%}", "end"),
        _label(LEFT - 4, TOP + 8, top, "end"),
        _label(LEFT - 4, floor, "0", "end"),
        _label((LEFT + WIDTH) / 2, floor + 28, across_name, "middle"),
    ]
    if up_name:
        parts.append(_label(LEFT + 6, TOP + 8, up_name, "start"))
    if zero is not None and LEFT + 40 < zero < WIDTH - RIGHT - 40:
        parts += [
            tag("path", kind="axis", d=f"M{zero:.1f} {TOP}V{floor}"),
            _label(zero, floor + 14, "0", "middle"),
        ]
    return parts


def _label(x: float, y: float, text: str, anchor: str) -> Html:
    return tag("text", text, x=f"{x:.0f}", y=f"{y:.0f}", text_anchor=anchor)


def _x(value: float, across: Scale) -> float:
    return LEFT + (value - across[0]) / (across[1] - across[0]) * (WIDTH - LEFT - RIGHT)


def _y(value: float, up: Scale) -> float:
    return HEIGHT - BOTTOM - value / (up[1] or 1.0) * (HEIGHT - BOTTOM - TOP)


def _figure(title: str, said: str, parts: list[Html]) -> Html:
    drawn = tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=said)
    return tag("figure", tag("figcaption", title), drawn)


def _empty(title: str, text: str) -> Html:
    return tag("figure", tag("figcaption", title), tag("p", text, kind="quiet"))
