"""Auditors' SQL over segments, in a DuckDB of its own that reaches no other file and changes nothing.

Never in the process that trades: a query takes the memory and the time that it is given here.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import duckdb
import polars as pl
from msgspec import Meta, Struct

from tradingd.journal import schema
from tradingd.journal.database import NO_BAR, OFFLINE, Connection, frame_of, quoted

MESSAGE_MAX = 1000  # characters; DuckDB quotes whole values in its messages


class SqlError(Exception):
    """The query was refused, failed or took too long; the message is DuckDB's."""


class SqlLimits(Struct, frozen=True, forbid_unknown_fields=True):
    memory_mb: Annotated[int, Meta(ge=64)] = 2048
    threads: Annotated[int, Meta(ge=1)] = 2
    timeout_s: Annotated[float, Meta(gt=0)] = 300.0


def run(segments: Sequence[Path], query: str, limits: SqlLimits) -> pl.DataFrame:
    """One SELECT over ticks, frames, bars, facts, commits and the views of `schema`. Raises SqlError."""
    try:
        connection = _connect(segments, limits)
        try:
            return _timed(connection, query, limits.timeout_s)
        finally:
            connection.close()
    except duckdb.InterruptException as error:
        raise SqlError(f"the query took longer than {limits.timeout_s:g} s and was stopped") from error
    except duckdb.Error as error:
        raise SqlError(str(error)[:MESSAGE_MAX]) from error


def _connect(segments: Sequence[Path], limits: SqlLimits) -> Connection:
    """Files are attached first, then the door is closed. Views stored in the files are never used."""
    connection = duckdb.connect(
        config=OFFLINE | {"threads": limits.threads, "memory_limit": f"{limits.memory_mb}MB", "temp_directory": ""}
    )
    connection.execute(NO_BAR)  # also while a log is read that is attached
    for number, path in enumerate(segments):
        connection.execute(f"ATTACH '{quoted(path)}' AS s{number} (READ_ONLY)")
    for table in schema.TABLES:
        connection.execute(f"CREATE VIEW {table} AS {_union(table, len(segments))}")
    connection.execute("; ".join(schema.view_statements()))
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def _union(table: str, segments: int) -> str:
    if segments == 0:
        columns = (column.split() for column in schema.TABLES[table].split(", "))
        return f"SELECT {', '.join(f'NULL::{kind} AS {name}' for name, kind in columns)} WHERE false"
    return " UNION ALL ".join(f"SELECT * FROM s{number}.{table}" for number in range(segments))


def _timed(connection: Connection, query: str, timeout_s: float) -> pl.DataFrame:
    timer = threading.Timer(timeout_s, connection.interrupt)
    timer.start()
    try:
        statements = duckdb.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise SqlError("give one SELECT statement")
        return frame_of(connection, query)
    finally:
        timer.cancel()
