"""DuckDB as the journal uses it: pinned settings, columns in, columns out, no pyarrow."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from tradingd.columns import BAR, TICK_COLUMNS
from tradingd.commit import BarRows
from tradingd.journal.digest import CommitRow
from tradingd.journal.settings import JournalSettings
from tradingd.journal.tables import BAR_FLOATS, TICK_FLOATS, FactColumns, FactRow, Tables

Connection = duckdb.DuckDBPyConnection

OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
STORAGE = {"storage_compatibility_version": "v1.0.0"}  # of format 1, whichever version of DuckDB writes it
LOG_ALONE: dict[str, bool] = {"enable_optimistic_write": False}
NO_BAR = "SET enable_progress_bar = false"  # it would stand among what a command prints
NEVER = "1TB"
COMMITS_AT_ONCE = 50_000
FACTS_AS_TEXT = 16  # up to so many, text in the statement takes less time than a frame

FRAME_SCHEMA = {"seq": pl.Int64, "payload": pl.Binary}
FACT_SCHEMA = {
    "seq": pl.Int64,
    "n": pl.Int32,
    "ts_event_ns": pl.Int64,
    "ts_received_ns": pl.Int64,
    "source": pl.String,
    "type": pl.String,
    "instrument": pl.UInt16,
    "cl_ord_id": pl.String,
    "payload": pl.String,
}
_TICK_SELECT = ", ".join(
    f"coalesce({name}, 'NaN'::DOUBLE) AS {name}" if name in TICK_FLOATS else name
    for name in ("seq", "source", *TICK_COLUMNS)
).replace("venue_id", "coalesce(venue_id, -1) AS venue_id")
_BAR_SELECT = "seq, n, instrument, timeframe, ts_open_ns AS ts_open, ts_close_ns AS ts_close, trades, " + ", ".join(
    f"coalesce({name}, 'NaN'::DOUBLE) AS {name}" for name in BAR_FLOATS
)


class ArrowStream:
    """A frame or relation seen only through the Arrow C stream, which needs no pyarrow on either side."""

    __slots__ = ("_data",)

    def __init__(self, data: Any) -> None:
        self._data = data

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._data.__arrow_c_stream__(requested_schema)


def open_writable(path: Path, settings: JournalSettings) -> Connection:
    """The one connection that writes a segment. Checkpoints happen only when they are asked for, not at close either:
    what a failed commit left in memory must not reach the file, nor a refused journal lose its write-ahead log. Nor
    do the rows of large commits (122,880 and more of a table), whether they are appended or read back from the log.
    """
    limits: dict[str, int | str] = {"threads": settings.threads, "memory_limit": f"{settings.memory_mb}MB"}
    connection = duckdb.connect(path, config={**OFFLINE, **STORAGE, **LOG_ALONE, **limits})
    connection.execute(NO_BAR)
    connection.execute(f"SET wal_autocheckpoint = '{NEVER}'")
    connection.execute("PRAGMA disable_checkpoint_on_shutdown")
    connection.execute(f"SET auto_checkpoint_skip_wal_threshold = {10**15}")
    return connection


def for_copies(connection: Connection) -> Connection:
    """Rows go to the file as they come, to be checkpointed: a whole segment need not fit into memory."""
    connection.execute("SET enable_optimistic_write = true")
    return connection


def for_inserts(connection: Connection) -> Connection:
    """Small inserts take less time where nothing is optimised. Of this connection alone, not of its cursors."""
    connection.execute("PRAGMA disable_optimizer")
    return connection


def open_read_only(path: Path, settings: JournalSettings) -> Connection:
    """A segment for reading: it can reach no other file, and nothing can be changed."""
    config = OFFLINE | {
        "threads": settings.threads,
        "memory_limit": f"{settings.memory_mb}MB",
        "enable_external_access": False,
    }
    connection = duckdb.connect(path, read_only=True, config=config)
    connection.execute(NO_BAR)
    return connection


def quoted(path: Path) -> str:
    """For between the quotes of a string in SQL."""
    return str(path).replace("'", "''")


def frame_of(connection: Connection, query: str) -> pl.DataFrame:
    """Raises duckdb.Error, also where DuckDB comes upon a bad block only while Polars takes the rows over."""
    try:
        return pl.DataFrame(ArrowStream(connection.sql(query)))
    except pl.exceptions.PolarsError as error:
        raise duckdb.IOException(str(error)) from error


# --- rows in ----------------------------------------------------------------------------------------------------------


def insert(connection: Connection, tables: Tables, row: CommitRow) -> None:
    """One transaction; durable when this returns. DuckDB reads a dict of arrays by name, and NaN in them as NULL."""
    connection.execute("BEGIN")
    if row.ticks:
        _insert(connection, "ticks", "* REPLACE (nullif(venue_id, -1) AS venue_id)", dict(tables.ticks))
    if row.frames:
        frames = pl.DataFrame({"seq": tables.frame_seq, "payload": tables.frames}, schema=FRAME_SCHEMA)
        _insert(connection, "frames", "*", ArrowStream(frames))
    if row.bars:
        _insert(connection, "bars", "*", _bar_columns(tables.bars))
    if row.facts > FACTS_AS_TEXT:
        facts = pl.DataFrame(tables.facts._asdict(), schema=FACT_SCHEMA)
        _insert(connection, "facts", "*", ArrowStream(facts))
    elif row.facts:
        connection.execute("INSERT INTO facts VALUES " + ", ".join(map(_row_text, tables.facts.rows())))
    numbers = ", ".join(map(str, row[:-1]))
    connection.execute(f"INSERT INTO commits VALUES ({numbers}, from_hex('{row.digest.hex()}')); COMMIT")


def _insert(connection: Connection, table: str, columns: str, rows: object) -> None:
    connection.execute(f"INSERT INTO {table} SELECT {columns} FROM rows")


def _row_text(row: FactRow) -> str:
    return f"({', '.join(map(_value_text, row))})"


def _value_text(value: str | int | None) -> str:
    if isinstance(value, str):
        quoted = value.replace("'", "''").replace("\0", "' || chr(0) || '")
        return f"'{quoted}'"
    return "NULL" if value is None else str(value)


def _bar_columns(bars: BarRows) -> dict[str, Any]:
    names = ("instrument", "timeframe", "ts_open", "ts_close", *BAR_FLOATS, "trades")
    return {"seq": bars.seq, "n": bars.n} | {name: np.ascontiguousarray(bars.rows[name]) for name in names}


# --- rows out ---------------------------------------------------------------------------------------------------------


def read_commits(connection: Connection, from_seq: int = 1) -> Iterator[CommitRow]:
    """Commits that end at or after `from_seq`, in order; a range at a time, for there may be millions."""
    query = f"SELECT * FROM commits WHERE last_seq >= ? AND commit_no > ? ORDER BY commit_no LIMIT {COMMITS_AT_ONCE}"
    after = -(2**63)
    while True:
        rows = connection.execute(query, [from_seq, after]).fetchall()
        yield from map(CommitRow._make, rows)
        if len(rows) < COMMITS_AT_ONCE:
            return
        after = rows[-1][0]


def read_tables(connection: Connection, first_seq: int, last_seq: int) -> Tables:
    ticks = _read(connection, "ticks", _TICK_SELECT, ["seq"], first_seq, last_seq)
    frames = _read(connection, "frames", "*", ["seq"], first_seq, last_seq)
    bars = _read(connection, "bars", _BAR_SELECT, ["seq", "n"], first_seq, last_seq)
    facts = _read(connection, "facts", "*", ["seq", "n"], first_seq, last_seq)
    return Tables(
        ticks={name: ticks[name].to_numpy() for name in ticks.columns},
        frame_seq=frames["seq"].to_numpy(),
        frames=frames["payload"].to_list(),
        bars=_bar_rows(bars),
        facts=FactColumns(**facts.to_dict(as_series=False)),
    )


def _read(
    connection: Connection, table: str, columns: str, order: Sequence[str], first_seq: int, last_seq: int
) -> pl.DataFrame:
    # Numbers in the text, not parameters: with those DuckDB materialises the rows one value at a time.
    frame = frame_of(connection, f"SELECT {columns} FROM {table} WHERE seq BETWEEN {first_seq} AND {last_seq}")
    return frame if _is_sorted(frame, order) else frame.sort(order)


def _is_sorted(frame: pl.DataFrame, order: Sequence[str]) -> bool:
    """Rows come as they were inserted; to let DuckDB sort them would take as long as to read them."""
    if len(order) == 1:
        return frame[order[0]].is_sorted()
    seq, n = (frame[name].to_numpy() for name in order)
    return bool(np.all((seq[1:] > seq[:-1]) | ((seq[1:] == seq[:-1]) & (n[1:] >= n[:-1]))))


def _bar_rows(bars: pl.DataFrame) -> BarRows:
    rows = np.zeros(len(bars), BAR)
    for name in BAR.names or ():
        rows[name] = bars[name].to_numpy()
    return BarRows(bars["seq"].to_numpy(), bars["n"].to_numpy().astype(np.int64), rows)
