"""Contracts of the catalogue to a continuous series in it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl
from msgspec import Struct, to_builtins

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.names import check_instrument
from tradingd.catalogue.records import Record, Step
from tradingd.catalogue.resample import check_order
from tradingd.catalogue.roll import (
    NONE,
    RATIO,
    Adjust,
    Contract,
    Pair,
    check_positive,
    pairs,
    segments,
    shifted,
    shifts,
)
from tradingd.catalogue.roll_rules import Rule
from tradingd.catalogue.sessions import session_text
from tradingd.catalogue.shapes import Kind
from tradingd.catalogue.store import Catalogue, Written, new_record
from tradingd.catalogue.trading_days import missed_sessions, session_of
from tradingd.instruments import Session


class Rolled(Struct, frozen=True, kw_only=True):
    """One change of contract, as the record keeps it.

    at_ns                  bars that open from then on are the new one's
    old_last_ns            the close of the old one's last bar, and the opening of the new one's first
    sessions_missed        that lie between these two as a whole
    pair_ts_ns             when the closes were that the shift comes from; None where nothing is shifted
    difference, ratio      new - old in units of price, new / old
    """

    at_ns: int
    old: str
    new: str
    old_last_ns: int
    new_first_ns: int
    sessions_missed: int
    pair_ts_ns: int | None = None
    old_close: float | None = None
    new_close: float | None = None
    difference: float | None = None
    ratio: float | None = None


class Done(NamedTuple):
    """`shifts` by contract, in the order given."""

    written: Written
    rolls: list[Rolled]
    shifts: list[float]


def roll_data(
    catalogue: Catalogue,
    instruments: Sequence[str],
    name: str,
    into: str,
    rule: Rule,
    adjust: Adjust,
    session: str | None,
    *,
    replace: bool,
) -> Done:
    """Bars of the instruments, the oldest contract first, as bars of `into`.

    Raises CatalogueError, DataDamagedError, OSError.
    """
    _check_names(instruments, into)
    records = [catalogue.record(instrument, name) for instrument in instruments]
    parsed = session_of(records, session)
    contracts = [Contract(record.instrument, _bars(catalogue, record)) for record in records]
    joined = _join(contracts, rule.rolls_ns(contracts, parsed), adjust, parsed)
    step = Step(
        name="roll",
        parameters=_parameters(records, rule, adjust, joined),
        rows_before=sum(record.rows for record in records),
        rows_after=len(joined.series),
    )
    sources = tuple(source for record in records for source in record.sources)
    new = new_record(into, Kind.BARS, records[0].timeframe, sources, session_text(parsed)).after([step])
    return Done(catalogue.write(new, joined.series, over=replace), joined.rolls, joined.shifts)


class _Joined(NamedTuple):
    """`rows` and `shifts` by contract."""

    series: pl.DataFrame
    rolls: list[Rolled]
    rows: list[int]
    shifts: list[float]


def _join(contracts: Sequence[Contract], at_ns: Sequence[int], adjust: Adjust, session: Session) -> _Joined:
    parts = segments(contracts, at_ns)
    rows = [len(part) for part in parts]
    if adjust == NONE:
        return _Joined(pl.concat(parts), _rolls(contracts, parts, at_ns, [], session), rows, [0.0] * len(parts))
    found = pairs(contracts, at_ns, session)
    if adjust == RATIO:
        check_positive(contracts, parts, found)
    by = shifts(found, adjust)
    series = pl.concat(shifted(bars, shift, adjust) for bars, shift in zip(parts, by, strict=True))
    return _Joined(series, _rolls(contracts, parts, at_ns, found, session), rows, by)


def _check_names(instruments: Sequence[str], into: str) -> None:
    check_instrument(into)
    if len(instruments) < 2:
        raise CatalogueError("name two contracts or more, the oldest first")
    if len(set(instruments)) < len(instruments) or into in instruments:
        raise CatalogueError("each contract is named once, and --into names none of them")


def _bars(catalogue: Catalogue, record: Record) -> pl.DataFrame:
    if record.kind is not Kind.BARS:
        raise CatalogueError(f"{record.name} do not roll, bars do; --name 1m, 1d")
    frame = catalogue.read(record)
    try:
        check_order(frame, record.kind)
    except CatalogueError as error:
        raise CatalogueError(f"{record.instrument} {record.name}: {error}") from error
    return frame


def _rolls(
    contracts: Sequence[Contract],
    parts: Sequence[pl.DataFrame],
    at_ns: Sequence[int],
    found: Sequence[Pair],
    session: Session,
) -> list[Rolled]:
    rolls = []
    for index, at in enumerate(at_ns):
        last, first = parts[index]["ts_close_ns"][-1], parts[index + 1]["ts_open_ns"][0]
        rolls.append(
            Rolled(
                at_ns=at,
                old=contracts[index].instrument,
                new=contracts[index + 1].instrument,
                old_last_ns=last,
                new_first_ns=first,
                sessions_missed=missed_sessions(session, last, first),
                **(_of_pair(found[index]) if found else {}),
            )
        )
    return rolls


def _of_pair(pair: Pair) -> dict[str, Any]:
    """There is no ratio to a price of 0."""
    closes = {"pair_ts_ns": pair.ts_close_ns, "old_close": pair.old, "new_close": pair.new}
    return closes | {"difference": pair.difference, "ratio": pair.ratio if pair.old else None}


def _parameters(records: Sequence[Record], rule: Rule, adjust: Adjust, joined: _Joined) -> dict[str, Any]:
    """All that it takes to make the series again, and what its rows are of."""
    contracts = [
        {
            "instrument": record.instrument,
            "content_sha256": record.content_sha256,
            "steps": to_builtins(list(record.steps)),
            "rows": rows,
            "shift": shift,
        }
        for record, rows, shift in zip(records, joined.rows, joined.shifts, strict=True)
    ]
    when: dict[str, Any] = {"at": [str(day) for day in rule.dates]} if rule.dates else {"volume_days": rule.volume_days}
    return {"adjust": adjust, **when, "contracts": contracts, "rolls": to_builtins(joined.rolls)}
