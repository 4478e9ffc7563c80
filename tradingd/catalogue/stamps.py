"""Times as files write them, as nanoseconds in UTC or as local dates. What can not be told is null, never guessed."""

import re
from typing import NamedTuple

import polars as pl

from tradingd.catalogue.errors import CatalogueError
from tradingd.feeds.files.cells import NS_PER_UNIT, times_ns

ISO = "iso"
# of text without an offset; a date with slashes is in no order that everybody shares, so it wants --ts-format
_NAIVE = (
    "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y%m%d %H:%M:%S%.f", "%Y%m%d %H:%M", "%Y%m%d",
)  # fmt: skip
_ZONED = ("%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M%:z")
_YEARS = "1700", "2200"
_OFFSET = r":\d{2}(\.\d+)?([+-]\d{2}:?\d{2})$"
_STEP = re.compile(r"%[-_0]?[A-Za-z]|%\.\d?f|%:z")


class Stamps(NamedTuple):
    """Each row is in one of the two, or in none."""

    local: pl.Series  # Datetime without a zone: what a clock on a wall showed
    utc_ns: pl.Series


def check_ts_format(text: str) -> str:
    """The same. Raises CatalogueError."""
    if text == ISO or text in NS_PER_UNIT or _STEP.search(text):
        return text
    raise CatalogueError(
        f"--ts-format {text!r} is none; write iso, a unit ({', '.join(NS_PER_UNIT)}) or a pattern like %m/%d/%Y"
    )


def read_stamps(series: pl.Series, ts_format: str) -> Stamps:
    if isinstance(series.dtype, pl.Datetime):
        return _typed(series)
    if series.dtype == pl.Date:
        return Stamps(series.cast(pl.Datetime("ns")), _no_ns(series))
    if ts_format in NS_PER_UNIT:
        cells = times_ns(series, ts_format)
        return Stamps(_no_local(series), pl.Series(cells.values).set(pl.Series(cells.bad), None))
    return _of_text(series.cast(pl.String), ts_format)


def utc_ns(stamps: Stamps, zone: str | None) -> pl.Series:
    """Null also where a local time is there twice or never, since clocks were changed.

    Raises CatalogueError where a zone is needed and there is none.
    """
    if stamps.local.null_count() == len(stamps.local):
        return stamps.utc_ns
    if zone is None:
        raise CatalogueError("the times have no offset; say where the clock stood: --timezone UTC or America/New_York")
    local = stamps.local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    return local.dt.epoch("ns").fill_null(stamps.utc_ns)


def local_dates(stamps: Stamps, zone: str, *, ends: bool) -> pl.Series:
    """The date on the wall; of moments that end something, the date just before them."""
    moments = (stamps.utc_ns - int(ends)).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
    return stamps.local.dt.date().fill_null(moments.dt.convert_time_zone(zone).dt.date())


def _typed(series: pl.Series) -> Stamps:
    assert isinstance(series.dtype, pl.Datetime)
    if series.dtype.time_zone is None:
        return Stamps(series.dt.cast_time_unit("ns"), _no_ns(series))
    return Stamps(_no_local(series), series.dt.epoch("ns"))


def _of_text(text: pl.Series, ts_format: str) -> Stamps:
    if ts_format != ISO:
        has_offset = "%z" in ts_format or "%:z" in ts_format
        parsed = _parsed(text.str.strip_chars(), (ts_format,))
        return Stamps(_no_local(text), parsed.dt.epoch("ns")) if has_offset else Stamps(parsed, _no_ns(text))
    local = _parsed(text, _NAIVE[:1])
    if local.null_count() == text.null_count():  # nearly every file: no need to look for spaces and offsets
        return Stamps(local, _no_ns(text))
    plain = text.str.strip_chars().str.replace(r"^(\d{4}-?\d{2}-?\d{2})T", "$1 ").str.replace(r"(Z| UTC)$", "+00:00")
    offset = plain.str.contains(_OFFSET).fill_null(value=False)
    zoned = _parsed(plain.set(~offset, None), _ZONED).dt.epoch("ns") if offset.any() else _no_ns(text)
    return Stamps(_parsed(plain.set(offset, None), _NAIVE), zoned)


def _parsed(text: pl.Series, formats: tuple[str, ...]) -> pl.Series:
    """By the first format that fits; the later ones are tried on what is left only."""
    found: pl.Series | None = None
    for each in formats:
        rest = text if found is None else text.set(found.is_not_null(), None)
        if found is not None and rest.null_count() == len(rest):
            break
        parsed = _exactly(rest, each)
        found = parsed if found is None else found.fill_null(parsed)
    assert found is not None
    return found


def _exactly(text: pl.Series, form: str) -> pl.Series:
    """Years that nanoseconds do not reach wrap around silently in Polars, so that microseconds are read beside them."""
    nanos = text.str.to_datetime(form, time_unit="ns", strict=False)
    if form.startswith("%Y") and _between(text, *_YEARS):
        return nanos
    micros = text.str.to_datetime(form, time_unit="us", strict=False)
    return nanos.set((nanos.dt.epoch("us") != micros.dt.epoch("us")).fill_null(value=False), None)


def _between(text: pl.Series, first: str, last: str) -> bool:
    """By the alphabet, which for years is by time."""
    lowest, highest = text.min(), text.max()
    return isinstance(lowest, str) and isinstance(highest, str) and first <= lowest and highest <= last


def _no_local(series: pl.Series) -> pl.Series:
    return pl.Series(series.name, [None], pl.Datetime("ns")).new_from_index(0, len(series))


def _no_ns(series: pl.Series) -> pl.Series:
    return pl.Series(series.name, [None], pl.Int64).new_from_index(0, len(series))
