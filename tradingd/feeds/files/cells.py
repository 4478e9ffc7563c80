"""Cells of one column, text or typed, as numbers; what can not be one is marked, never guessed."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from tradingd.feeds.rows import UNKNOWN_NS

NS_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
TIME_NS_MAX = 2**63 - 1
ISO = "%Y-%m-%d %H:%M:%S%.f%:z"


class Cells(NamedTuple):
    """Values and a mask of those that are none, with what to say of them."""

    values: npt.NDArray[Any]
    bad: npt.NDArray[np.bool_]
    reason: str


def numbers(series: pl.Series) -> Cells:
    """Float64, NaN where absent. The text NaN is not a number, a NaN in a typed column is absent."""
    values = series.cast(pl.Float64, strict=False)
    bad = _wrong(series, values) | (values.is_nan().fill_null(value=False) if series.dtype == pl.String else False)
    return Cells(values.fill_null(np.nan).to_numpy() + 0.0, bad.to_numpy(), f"{series.name} is not a number")


def integers(series: pl.Series, absent: int) -> Cells:
    """Int64 from 0."""
    values = series.cast(pl.Int64, strict=False)
    bad = _wrong(series, values) | (values < 0).fill_null(value=False)
    return Cells(values.fill_null(absent).to_numpy(), bad.to_numpy(), f"{series.name} is not a whole number")


def choices(series: pl.Series, values: Mapping[str, int]) -> Cells:
    """UInt8 by text, whatever its case; 0 where absent."""
    text = series.cast(pl.String).str.to_lowercase().fill_null("")
    chosen = text.replace_strict(values, default=0, return_dtype=pl.UInt8)
    bad = ~text.is_in(["", *values])
    return Cells(chosen.to_numpy(), bad.to_numpy(), f"{series.name} is none of {', '.join(values)}")


def flags(series: pl.Series) -> npt.NDArray[np.bool_]:
    """True where a cell is neither absent nor 0 nor false."""
    return ~series.cast(pl.String).str.to_lowercase().fill_null("").is_in(["", "0", "false"]).to_numpy()


def times_ns(series: pl.Series, unit: str) -> Cells:
    """Int64 after 1970; UNKNOWN_NS where bad or absent. A typed time column needs no unit."""
    if isinstance(series.dtype, pl.Datetime):
        values = series.dt.cast_time_unit("ns").to_physical()
    elif unit == "iso":
        values = _iso_ns(series.cast(pl.String))
    else:
        values = _scaled(series, NS_PER_UNIT[unit])
    bad = ((values <= 0) | values.is_null()).fill_null(value=True).to_numpy()
    return Cells(np.where(bad, UNKNOWN_NS, values.fill_null(0).to_numpy()), bad, f"{series.name} is no time")


def _wrong(series: pl.Series, values: pl.Series) -> pl.Series:
    """Where there was something, and it became nothing."""
    given = (
        series.is_not_null() & (series != "").fill_null(value=False)
        if series.dtype == pl.String
        else series.is_not_null()
    )
    return given & values.is_null()


def _scaled(series: pl.Series, ns: int) -> pl.Series:
    """Whole numbers of the unit, and decimal fractions of it in text, exactly."""
    whole = series.cast(pl.Int64, strict=False)
    if series.dtype == pl.String and whole.null_count():
        parts = series.str.extract_groups(r"^(\d+)\.(\d+)$").struct.unnest()
        digits = len(str(ns)) - 1
        fraction = (parts["2"].str.pad_end(digits, "0").str.slice(0, digits)).cast(pl.Int64, strict=False)
        return _within(whole, ns).fill_null(_within(parts["1"].cast(pl.Int64, strict=False), ns) + fraction)
    return _within(whole, ns)


def _within(whole: pl.Series, ns: int) -> pl.Series:
    """Null where the product would not fit."""
    return whole.set(whole.abs() > TIME_NS_MAX // ns - 1, None) * ns


def _iso_ns(text: pl.Series) -> pl.Series:
    plain = text.str.replace(r"^(\d{4}-\d{2}-\d{2})T", "$1 ").str.replace(r"Z$", "+00:00")
    offset = plain.str.contains(r"[+-]\d{2}:?\d{2}$").fill_null(value=False)
    zoned = plain.zip_with(offset, plain + "+00:00")
    return zoned.str.to_datetime(ISO, time_unit="ns", strict=False).to_physical()
