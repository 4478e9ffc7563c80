"""Pieces of a file to bars."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradingd.catalogue.formats import OPEN
from tradingd.catalogue.plan import Plan
from tradingd.catalogue.sessions import days_of
from tradingd.catalogue.shapes import DAY, PRICES, SCHEMAS, Kind, timeframe_ns
from tradingd.catalogue.stamps import Stamps, local_dates, read_stamps, utc_ns
from tradingd.feeds.files.cells import numbers
from tradingd.feeds.files.tables import Piece
from tradingd.instruments import DAY_NS

FIRST_NS, LAST_NS = -2_208_988_800 * 10**9, 7_258_118_400 * 10**9  # 1900 and 2200: what lies outside is no market's
CLOCKS = "is a local time that was there twice or never, since clocks were changed"

Faults = dict[int, str]


def bars_of(piece: Piece, plan: Plan) -> tuple[pl.DataFrame, Faults]:
    """A row per row of the piece; what stands in rows with a fault means nothing."""
    faults = dict(piece.malformed)
    frame = piece.frame
    name = plan.columns["ts"]
    stamps = read_stamps(frame[name], plan.ts_format)
    borders = _borders(stamps, plan)
    unknown = borders["ts_open_ns"].is_null()
    _note(faults, (unknown & stamps.local.is_not_null()).to_numpy(), f"{name!r} {CLOCKS}")
    _note(faults, unknown.to_numpy(), f"{name!r} is no time")
    columns: dict[str, Any] = {name: borders[name] for name in ("ts_open_ns", "ts_close_ns")}
    for role in (*PRICES, "volume"):
        columns[role] = _numbers(frame, plan, role, faults)
    return pl.DataFrame(columns, schema=SCHEMAS[Kind.BARS], nan_to_null=True), faults


def _numbers(frame: pl.DataFrame, plan: Plan, role: str, faults: Faults) -> npt.NDArray[np.float64]:
    """A price that has a column is in each of its rows; one that has none is absent everywhere."""
    name = plan.columns.get(role)
    if name is None:
        return np.full(len(frame), np.nan)
    series = frame[name]
    cells = numbers(series)
    if cells.bad.any() and series.dtype == pl.String:  # spaces around numbers are rare
        cells = numbers(series.str.strip_chars())
    _note(faults, cells.bad, cells.reason)
    _note(faults, np.isinf(cells.values), f"{name} is not a finite number")
    if role == "volume":
        _note(faults, cells.values < 0, f"{name} is below zero")
    else:
        _note(faults, np.isnan(cells.values), f"{name} is empty")
    return cells.values


def _note(faults: Faults, mask: npt.NDArray[np.bool_], reason: str) -> None:
    if mask.any():
        for row in np.flatnonzero(mask).tolist():
            faults.setdefault(row, reason)


def _borders(stamps: Stamps, plan: Plan) -> pl.DataFrame:
    assert plan.timeframe is not None
    if plan.timeframe == DAY:
        return _days(stamps, plan)
    at = utc_ns(stamps, plan.timezone)
    at = at.set(((at < FIRST_NS) | (at > LAST_NS)).fill_null(value=False), None)
    length = timeframe_ns(plan.timeframe)
    opened = at if plan.stamp == OPEN else at - length
    return pl.DataFrame({"ts_open_ns": opened, "ts_close_ns": opened + length})


def _days(stamps: Stamps, plan: Plan) -> pl.DataFrame:
    """A date means the session that opens on it, or that ends with it or on it where the close is stamped."""
    assert plan.session is not None
    dates = local_dates(stamps, plan.session.timezone, ends=plan.stamp != OPEN).rename("date")
    in_ns = dates.cast(pl.Int32).cast(pl.Int64)
    in_ns = (
        in_ns.set(((in_ns < FIRST_NS // DAY_NS) | (in_ns > LAST_NS // DAY_NS)).fill_null(value=False), None) * DAY_NS
    )
    first, last = in_ns.min(), in_ns.max()
    assert first is None or isinstance(first, int)
    assert last is None or isinstance(last, int)
    days = days_of(plan.session, first or 0, last or 0).table
    named = "open_date" if plan.stamp == OPEN else "close_date"
    table = days.select(pl.col(named).alias("date"), ts_open_ns="open_ns", ts_close_ns="close_ns")
    return pl.DataFrame(dates).join(table, on="date", how="left", maintain_order="left")
