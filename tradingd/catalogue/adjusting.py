"""Splits and dividends taken out of bars of the catalogue, on request only."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from msgspec import to_builtins

from tradingd.catalogue.adjust import Applied, Dividend, Split, adjusted, dividend_factors, split_factors
from tradingd.catalogue.check_bars import jumps, split_of
from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.findings import Limits
from tradingd.catalogue.records import Record, Step
from tradingd.catalogue.resample import check_order
from tradingd.catalogue.sessions import session_text
from tradingd.catalogue.shapes import Kind
from tradingd.catalogue.store import Catalogue
from tradingd.catalogue.trading_days import local_date, parse_date, session_of

ADJUST = "adjust"


class Adjusted(NamedTuple):
    """`kept` is where the file from before is."""

    record: Record
    applied: list[Applied]
    kept: Path


def parse_split(day: str, ratio: str) -> Split:
    """Of 7, 7:1, 3/2. Raises CatalogueError."""
    try:
        parsed = Fraction(ratio.replace(":", "/"))
    except (ValueError, ZeroDivisionError):
        parsed = Fraction(0)
    if parsed <= 0 or parsed == 1:
        raise CatalogueError(f"{ratio!r} is no ratio of a split; write new shares for old ones: 7, 3:2, 1:8")
    return Split(parse_date(day), parsed)


def parse_dividend(day: str, amount: str) -> Dividend:
    """Raises CatalogueError."""
    try:
        return Dividend(parse_date(day), float(amount))
    except ValueError as error:
        raise CatalogueError(f"{amount!r} is no amount of a dividend; write it like 0.82") from error


def splits_found(catalogue: Catalogue, record: Record, session: str | None, limits: Limits) -> list[Split]:
    """What `check` calls a split. Raises CatalogueError, DataDamagedError."""
    _check_kind(record)
    frame, parsed = catalogue.read(record), session_of([record], session)
    ratios = jumps(frame, limits).ratio
    opened = frame["ts_open_ns"].to_numpy()
    return [Split(local_date(parsed, int(opened[row])), split_of(ratios[row])) for row in ratios.nonzero()[0].tolist()]


def adjust_data(
    catalogue: Catalogue,
    record: Record,
    splits: Sequence[Split],
    dividends: Sequence[Dividend],
    session: str | None,
) -> Adjusted:
    """Once for all events: amounts and closes have to be on one scale, that of the raw prices.

    Raises CatalogueError, DataDamagedError, OSError; then nothing is changed.
    """
    _check(record, splits, dividends)
    frame, parsed = catalogue.read(record), session_of([record], session)
    check_order(frame, record.kind)
    of_splits, split_rows = split_factors(frame, splits, parsed)
    of_dividends, dividend_rows = dividend_factors(frame, dividends, splits, parsed)
    ratios = [(row, split.ratio) for row, split in zip(split_rows, splits, strict=True)]
    factors = [(row, each.factor) for row, each in zip(dividend_rows, of_dividends, strict=True)]
    applied = sorted([*of_splits, *of_dividends], key=lambda each: (each.day, each.dividend is not None))
    step = _step(record, session_text(parsed), applied)
    amended, kept = catalogue.amend(record, adjusted(frame, ratios, factors), [step])
    return Adjusted(amended, applied, kept)


def _step(record: Record, session: str, applied: list[Applied]) -> Step:
    parameters = {
        "content_sha256": record.content_sha256,
        "session": session,
        "events": to_builtins(applied),
    }
    return Step(name=ADJUST, parameters=parameters, rows_before=record.rows, rows_after=record.rows)


def _check(record: Record, splits: Sequence[Split], dividends: Sequence[Dividend]) -> None:
    _check_kind(record)
    if not splits and not dividends:
        raise CatalogueError("say what to adjust for: --split DATE=RATIO, --dividend DATE=AMOUNT, or --found")
    for days in ([split.day for split in splits], [dividend.day for dividend in dividends]):
        twice = next((day for day in days if days.count(day) > 1), None)
        if twice is not None:
            raise CatalogueError(f"{twice} is named twice; say each event once")
    if any(step.name == ADJUST for step in record.steps):
        raise CatalogueError(
            f"{record.instrument} {record.name} is adjusted already; import it again with --replace, "
            "then say all splits and dividends at once"
        )


def _check_kind(record: Record) -> None:
    if record.kind is not Kind.BARS:
        raise CatalogueError(f"{record.name} are not adjusted, bars are; --name 1m, 1d")
