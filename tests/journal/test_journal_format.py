"""A second reader of the format, written from `journal/README.md` alone: row by row, with nothing of the package."""

import json
import struct
from hashlib import blake2b
from pathlib import Path
from typing import Any

import duckdb
import pytest

TICKS = "seq, source, kind, flags, instrument, ts_event_ns, ts_received_ns, price, size, ask_price, ask_size, venue_id"
BARS = "seq, n, instrument, timeframe, ts_open_ns, ts_close_ns, open, high, low, close, volume, vwap, trades"


def packed(layout: str, values: list[Any], nullable: range) -> bytes:
    """A record whose last byte has a bit for each value of `nullable` that is None."""
    nulls = sum(1 << bit for bit, index in enumerate(nullable) if values[index] is None)
    return struct.pack(layout, *(0 if value is None else value for value in values), nulls)


def rows(
    connection: duckdb.DuckDBPyConnection, columns: str, table: str, order: str, commit: dict[str, Any]
) -> list[Any]:
    query = f"SELECT {columns} FROM {table} WHERE seq BETWEEN ? AND ? ORDER BY {order}"
    found = connection.execute(query, [commit["first_seq"], commit["last_seq"]]).fetchall()
    assert len(found) == commit[table]
    return found


def digest_of(previous: bytes, connection: duckdb.DuckDBPyConnection, commit: dict[str, Any]) -> bytes:
    digest = blake2b(previous, digest_size=32)
    names = ("commit_no", "first_seq", "last_seq", "committed_ns", "ticks", "frames", "bars", "facts")
    digest.update(struct.pack("<4q4I", *(commit[name] for name in names)))
    for row in rows(connection, TICKS, "ticks", "seq", commit):
        digest.update(packed("<qHBBHqqddddqB", list(row), range(7, 12)))
    frames = rows(connection, "seq, payload", "frames", "seq", commit)
    digest.update(b"".join(struct.pack("<qI", seq, len(payload)) for seq, payload in frames))
    digest.update(b"".join(payload for _, payload in frames))
    for row in rows(connection, BARS, "bars", "seq, n", commit):
        digest.update(packed("<qiHBqqddddddqB", list(row), range(6, 12)))
    strings = []
    for row in rows(connection, "*", "facts", "seq, n", commit):
        seq, n, event_ns, received_ns, source, kind, instrument, cl_ord_id, payload = row
        texts = [text.encode() for text in (source, kind, cl_ord_id or "", payload)]
        nulls = (instrument is None) + 2 * (cl_ord_id is None)
        digest.update(struct.pack("<qiqqHB4I", seq, n, event_ns, received_ns, instrument or 0, nulls, *map(len, texts)))
        strings += texts
    digest.update(b"".join(strings))
    return digest.digest()


def read_head(folder: Path) -> tuple[int, int, int, bytes]:
    """(segment, commit_no, last_seq, digest) of the newest slot."""
    content = (folder / "HEAD").read_bytes()
    assert len(content) == 8192
    slots = []
    for offset in (0, 4096):
        slot = content[offset : offset + 108]
        assert slot[92:] == blake2b(slot[:92], digest_size=16).digest()
        magic, _, generation, _, segment, commit_no, last_seq, digest = struct.unpack("<8s16sQQIQQ32s", slot[:92])
        assert magic == b"TRDHEAD1"
        slots.append((generation, (segment, commit_no, last_seq, digest)))
    return max(slots)[1]


SEGMENTS = {1: "000001.duckdb", 2: "000002.live.duckdb"}


def test_the_chain_can_be_followed_by_the_specification_alone(two_segments: Path) -> None:
    identity = json.loads((two_segments / "journal.json").read_text())
    assert identity["format"] == 1
    digest = blake2b(f"tradingd journal 1\n{identity['genesis']}\n".encode(), digest_size=32).digest()
    commit_no, last_seq = 0, 0
    for number in (1, 2):
        with duckdb.connect(two_segments / "segments" / SEGMENTS[number], read_only=True) as connection:
            start = connection.execute("SELECT * EXCLUDE created_ns FROM segment").fetchall()
            assert start == [(identity["genesis"], number, commit_no, last_seq, digest)]
            found = connection.execute("SELECT * FROM commits ORDER BY commit_no")
            names = [column[0] for column in found.description]
            for commit in (dict(zip(names, row, strict=True)) for row in found.fetchall()):
                assert (commit["commit_no"], commit["first_seq"]) == (commit_no + 1, last_seq + 1)
                digest = digest_of(digest, connection, commit)
                assert commit["digest"] == digest
                commit_no, last_seq = commit["commit_no"], commit["last_seq"]
    assert read_head(two_segments) == (2, commit_no, last_seq, digest)
    assert commit_no == 6


@pytest.mark.parametrize("number", [1, 2])
def test_the_tables_are_those_of_the_specification(two_segments: Path, number: int) -> None:
    text = " ".join((Path(__file__).parents[2] / "journal" / "README.md").read_text().split())
    with duckdb.connect(two_segments / "segments" / SEGMENTS[number], read_only=True) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY table_name").fetchall()
        assert [name for (name,) in tables] == ["bars", "commits", "facts", "frames", "segment", "ticks"]
        for (table,) in tables:
            columns = connection.execute(f"DESCRIBE {table}").fetchall()
            assert f"`{table}({', '.join(f'{name} {kind}' for name, kind, *_ in columns)})`" in text


@pytest.mark.parametrize("number", [1, 2])
def test_the_storage_is_that_of_the_specification_whichever_duckdb_wrote_it(two_segments: Path, number: int) -> None:
    with duckdb.connect(two_segments / "segments" / SEGMENTS[number], read_only=True) as connection:
        (tags,) = connection.execute("SELECT tags FROM duckdb_databases() WHERE path IS NOT NULL").fetchall()
    assert tags == ({"storage_version": "v1.0.0+"},)
