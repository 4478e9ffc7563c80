"""Tables and views of a segment. DDL runs once, when a segment is made; the views are also those of auditors' SQL."""

import enum
import re
import types
from typing import Any, Union, get_args, get_origin

import msgspec

from tradingd.columns import KIND_NAMES
from tradingd.events import BODY_TYPES, Body

# No keys, no indexes, no constraints: they cost time, and replay of the write-ahead log broke on them before.
TABLES = {
    "ticks": (
        "seq BIGINT, source USMALLINT, kind UTINYINT, flags UTINYINT, instrument USMALLINT, ts_event_ns BIGINT, "
        "ts_received_ns BIGINT, price DOUBLE, size DOUBLE, ask_price DOUBLE, ask_size DOUBLE, venue_id BIGINT"
    ),
    "frames": "seq BIGINT, payload BLOB",
    "bars": (
        "seq BIGINT, n INTEGER, instrument USMALLINT, timeframe UTINYINT, ts_open_ns BIGINT, ts_close_ns BIGINT, "
        "open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE, volume DOUBLE, vwap DOUBLE, trades BIGINT"
    ),
    "facts": (
        "seq BIGINT, n INTEGER, ts_event_ns BIGINT, ts_received_ns BIGINT, source VARCHAR, type VARCHAR, "
        "instrument USMALLINT, cl_ord_id VARCHAR, payload VARCHAR"
    ),
    "commits": (
        "commit_no BIGINT, first_seq BIGINT, last_seq BIGINT, committed_ns BIGINT, ticks UINTEGER, frames UINTEGER, "
        "bars UINTEGER, facts UINTEGER, digest BLOB"
    ),
}
SEGMENT_TABLE = (
    "genesis VARCHAR, segment UINTEGER, created_ns BIGINT, commits_before BIGINT, seq_before BIGINT, digest_before BLOB"
)
ROW_TABLES = ("ticks", "frames", "bars", "facts")  # in the order of the digest

SQL_TYPES: dict[Any, str] = {int: "BIGINT", float: "DOUBLE", str: "VARCHAR", bool: "BOOLEAN"}


def table_statements() -> list[str]:
    tables = {"segment": SEGMENT_TABLE, **TABLES}
    return [f"CREATE TABLE {name} ({columns})" for name, columns in tables.items()]


def view_statements() -> list[str]:
    """Views over tables of the names in TABLES."""
    views = {"trades": _trades(), "quotes": _quotes(), "events": _events()}
    views |= {snake_case(name): _body_view(name, body) for name, body in BODY_TYPES.items()}
    return [f"CREATE VIEW {name} AS {query}" for name, query in views.items()]


def snake_case(name: str) -> str:
    """OrderFilled -> order_filled."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _trades() -> str:
    return (
        "SELECT seq, source, instrument, ts_event_ns, ts_received_ns, price, size, "
        "CASE WHEN flags & 1 = 1 THEN 'Buy' WHEN flags & 2 = 2 THEN 'Sell' END AS aggressor, "
        "flags & 4 = 0 AS eligible, venue_id AS trade_id FROM ticks WHERE kind = 1"
    )


def _quotes() -> str:
    return (
        "SELECT seq, source, instrument, ts_event_ns, ts_received_ns, price AS bid_price, size AS bid_size, "
        "ask_price, ask_size, flags & 4 = 0 AS eligible, venue_id AS update_id FROM ticks WHERE kind = 2"
    )


def _events() -> str:
    kinds = " ".join(f"WHEN {kind} THEN '{name}'" for kind, name in KIND_NAMES.items())
    return (
        "SELECT seq, n, ts_event_ns, ts_received_ns, source, type, instrument, cl_ord_id, payload FROM facts "
        "UNION ALL SELECT seq, 0, ts_event_ns, ts_received_ns, source::VARCHAR, "
        f"CASE kind {kinds} END, instrument, NULL, json_object('price', price, 'size', size, 'ask_price', ask_price, "
        "'ask_size', ask_size, 'flags', flags, 'venue_id', venue_id)::VARCHAR FROM ticks "
        "UNION ALL SELECT seq, n, ts_close_ns, NULL, '', 'Bar', instrument, NULL, "
        "json_object('timeframe', timeframe, 'ts_open_ns', ts_open_ns, 'open', open, 'high', high, 'low', low, "
        "'close', close, 'volume', volume, 'vwap', vwap, 'trades', trades)::VARCHAR FROM bars "
        "ORDER BY seq, n"
    )


def _body_view(name: str, body: type[Body]) -> str:
    columns = ["seq", "n", "ts_event_ns", "ts_received_ns"]
    columns += [_column(field) for field in msgspec.structs.fields(body)]
    return f"SELECT {', '.join(columns)} FROM facts WHERE type = '{name}'"


def _column(field: msgspec.structs.FieldInfo) -> str:
    """One field out of the JSON; a default is not in the JSON, so it stands here."""
    kind = _plain_type(field.type)
    arrow = "->>" if kind in SQL_TYPES else "->"
    value = f"(payload::JSON {arrow} '{field.encode_name}')"
    if kind in SQL_TYPES:
        value = f"{value}::{SQL_TYPES[kind]}"
    if field.default is not msgspec.NODEFAULT and field.default is not None:
        value = f"coalesce({value}, {_literal(field.default)})"
    return f'{value} AS "{field.name}"'


def _plain_type(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [choice for choice in get_args(kind) if choice is not type(None)]
        return _plain_type(kinds[0]) if len(kinds) == 1 else None
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return str
    return kind


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"'{msgspec.json.encode(value).decode()}'"
