"""Pieces of a file to rows of one kind; every row read becomes a row, a rejection, or is another instrument's."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from tradingd.catalogue.bar_rows import bars_of
from tradingd.catalogue.plan import Plan
from tradingd.catalogue.shapes import SCHEMAS, Kind
from tradingd.catalogue.stamps import read_stamps, utc_ns
from tradingd.feeds.files.mapping import Mapper
from tradingd.feeds.files.tables import Piece, Table
from tradingd.feeds.reading import FileDamagedError
from tradingd.feeds.rows import REJECTED, TEXT_CHARS_MAX
from tradingd.feeds.settings import TickColumns, TickFile

ANY_PRICE = np.array([-np.inf])  # a price below zero is told by `check`, not refused
TS, TS_RECEIVED = "ts", "ts_received"


class Rejected(NamedTuple):
    line: int
    reason: str
    text: str


class Part(NamedTuple):
    """What a piece of a file became."""

    frame: pl.DataFrame
    rejected: list[Rejected]
    others: int


def parts_of(table: Table, plan: Plan, file: str) -> Iterator[Part]:
    """Raises CatalogueError where times need a zone that nobody said."""
    mapper = Mapper(_tick_file(plan, file), file=0, instruments={_ID: 0}, floors=ANY_PRICE) if _is_ticks(plan) else None
    line = 0
    try:
        for piece in table.pieces(plan.used):
            line = piece.first_line + len(piece.frame)
            mine = _mine(piece, plan)
            frame, faults = bars_of(piece, plan) if mapper is None else _ticks_of(mapper, piece, plan)
            yield _part(piece, frame, faults, mine)
    except FileDamagedError as damage:
        yield Part(SCHEMAS[plan.kind].to_frame(), [Rejected(line, str(damage), "")], 0)


def _part(piece: Piece, frame: pl.DataFrame, faults: dict[int, str], mine: npt.NDArray[np.bool_]) -> Part:
    wrong = sorted(row for row in faults if mine[row])
    kept = mine.copy()
    kept[wrong] = False
    rejected = [Rejected(piece.first_line + row, faults[row], _text(piece, row)) for row in wrong]
    return Part(frame if kept.all() else frame.filter(kept), rejected, int(np.count_nonzero(~mine)))


def _text(piece: Piece, row: int) -> str:
    return piece.text(row)[:TEXT_CHARS_MAX].rstrip("\r")


def _mine(piece: Piece, plan: Plan) -> npt.NDArray[np.bool_]:
    """Rows of this instrument; those that are no rows at all may be anybody's."""
    mine = np.ones(len(piece.frame), np.bool_)
    for column, value in plan.where:
        mine &= (piece.frame[column].cast(pl.String) == value).fill_null(value=False).to_numpy()
    if plan.blanks:
        mine &= (piece.frame[plan.columns["close"]].cast(pl.String) != "").fill_null(value=False).to_numpy()
    mine[list(piece.malformed)] = True
    return mine


# --- ticks: the rows of feeds -----------------------------------------------------------------------------------------

_ID = "CATALOGUE:ROWS"


def _is_ticks(plan: Plan) -> bool:
    return plan.kind is not Kind.BARS


def _tick_file(plan: Plan, file: str) -> TickFile:
    named = {role: name for role, name in plan.columns.items() if not role.startswith("_")}
    ineligible = named.pop("ineligible", None)
    columns = TickColumns(ts_event=named.pop(TS), **named)
    return TickFile(path=file, columns=columns, ts_unit="ns", instrument=_ID, ineligible=ineligible)


def _ticks_of(mapper: Mapper, piece: Piece, plan: Plan) -> tuple[pl.DataFrame, dict[int, str]]:
    times = [plan.columns[role] for role in (TS, TS_RECEIVED) if role in plan.columns]
    in_ns = [utc_ns(read_stamps(piece.frame[name], plan.ts_format), plan.timezone).alias(name) for name in times]
    rows = mapper.rows(replace(piece, frame=piece.frame.with_columns(in_ns)))
    faults = {row: what.reason for row, what in rows.rejected.items()}
    assert len(faults) == np.count_nonzero(rows.columns["kind"] == REJECTED)
    return _tick_frame(rows.columns, plan.kind), faults


def _tick_frame(columns: dict[str, npt.NDArray[Any]], kind: Kind) -> pl.DataFrame:
    names = {"bid": "price", "bid_size": "size", "ask": "ask_price"} if kind is Kind.QUOTES else {}
    schema = SCHEMAS[kind]
    return pl.DataFrame({name: columns[names.get(name, name)] for name in schema}, schema=schema, nan_to_null=True)
