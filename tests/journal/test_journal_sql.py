"""SQL over all segments, and what it refuses."""

from pathlib import Path

import pytest

from tradingd.events import BODY_TYPES
from tradingd.journal.reader import JournalReader
from tradingd.journal.schema import snake_case
from tradingd.journal.sql import SqlError, SqlLimits


@pytest.fixture
def reader(two_segments: Path) -> JournalReader:
    with JournalReader.open(two_segments) as opened:
        yield opened


def test_tables_and_views_span_the_segments(reader: JournalReader) -> None:
    counts = {
        name: reader.sql(f"SELECT count(*) FROM {name}").item()
        for name in ("ticks", "trades", "quotes", "frames", "bars", "facts", "commits", "events", "order_accepted")
    }
    assert counts == {
        "ticks": 72,
        "trades": 24,
        "quotes": 24,
        "frames": 24,
        "bars": 6,
        "facts": 18,
        "commits": 6,
        "events": 96,
        "order_accepted": 6,
    }


def test_events_are_everything_in_order(reader: JournalReader) -> None:
    events = reader.sql("SELECT seq, n, type FROM events")
    positions = list(zip(events["seq"], events["n"], strict=True))
    assert positions == sorted(positions)
    assert events["type"].to_list()[:3] == ["Trade", "Quote", "Frame"]
    assert events["type"].to_list()[12:16] == ["FeedStatus", "Signal", "OrderAccepted", "Bar"]


def test_absent_values_are_null(reader: JournalReader) -> None:
    assert reader.sql("SELECT count(*) FROM trades WHERE trade_id IS NULL OR price IS NULL").item() == 0
    assert reader.sql("SELECT count(*) FROM quotes WHERE ask_size IS NOT NULL").item() == 0
    assert reader.sql("SELECT count(*) FROM bars WHERE vwap IS NULL").item() == 3


@pytest.mark.parametrize("name", BODY_TYPES)
def test_every_type_of_event_has_its_view_with_its_fields(reader: JournalReader, name: str) -> None:
    found = reader.sql(f"SELECT * FROM {snake_case(name)}")
    fields = tuple(BODY_TYPES[name].__struct_fields__)
    assert tuple(found.columns) == ("seq", "n", "ts_event_ns", "ts_received_ns", *fields)


def test_fields_have_their_types_and_defaults(reader: JournalReader) -> None:
    row = reader.sql("SELECT * FROM signal ORDER BY seq LIMIT 1").row(0, named=True)
    assert row == {
        "seq": 13,
        "n": 1,
        "ts_event_ns": 1,
        "ts_received_ns": 2,
        "strategy": "sma",
        "instrument": 1,
        "ts_bar_close_ns": 10,
        "target": 1.1,
        "confidence": 1.0,
        "price": 1e-308,
        "stop": None,
        "take_profit": None,
        "limit": None,
        "trigger": None,
        "trail": None,
    }
    assert reader.sql("SELECT DISTINCT detail FROM feed_status").item() == "day 1\n'quoted' \U0001f4c8"


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM s0.ticks",
        "CREATE TABLE mine AS SELECT 1",
        "SELECT * FROM read_csv('/etc/hostname')",
        "COPY ticks TO 'copy.csv'",
        "ATTACH 'other.duckdb'",
        "SET threads = 8",
        "SET lock_configuration = false",
        "INSTALL httpfs",
        "SELECT 1; DROP TABLE s0.ticks",
        "SELECT * FROM nowhere",
        "SELECT",
        "",
    ],
)
def test_what_is_no_reading_of_the_journal_is_refused(reader: JournalReader, query: str) -> None:
    with pytest.raises(SqlError):
        reader.sql(query)


def test_a_query_that_takes_too_long_is_stopped(reader: JournalReader) -> None:
    with pytest.raises(SqlError, match="took longer than"):
        reader.sql("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b", SqlLimits(timeout_s=0.3))


def test_a_query_that_needs_too_much_memory_is_stopped(reader: JournalReader) -> None:
    with pytest.raises(SqlError, match="memory"):
        reader.sql("SELECT list(range) FROM range(100000000)", SqlLimits(memory_mb=64))
