"""What a journal holds: segments, runs, newest events, bars."""

import asyncio
from pathlib import Path

import polars as pl
import pytest
from audited_day import write_day

from tradingd.audit.bars import bars_of_feed, chosen, recorded_bars, write_bars
from tradingd.audit.errors import AuditError
from tradingd.audit.listing import listing
from tradingd.audit.newest import newest_events, position_of
from tradingd.audit.points import parse_time_ns
from tradingd.config.load import load
from tradingd.journal.reader import JournalReader
from tradingd.journal.writer import Journal


def test_a_listing_has_segments_runs_and_snapshots(reader: JournalReader) -> None:
    found = listing(reader)
    (segment,) = found.segments
    assert (segment.sealed, segment.first_seq, segment.last_seq) == (False, 1, reader.last_seq)
    assert segment.rows is not None
    assert segment.rows["ticks"] == 4000
    assert (found.head.last_seq, found.live, len(found.snapshots)) == (reader.last_seq, False, 1)
    assert [(run.seq, run.epoch, run.resumed) for run in found.runs] == [(1, 1, "fresh")]


def test_a_segment_in_use_is_listed_without_its_content(tmp_path: Path) -> None:
    writer = Journal.open(tmp_path / "j")
    with JournalReader.open(tmp_path / "j") as reader:
        found = listing(reader)
    writer.close()
    assert found.live
    assert found.segments[0].rows is None


def test_the_newest_events_come_last(reader: JournalReader) -> None:
    found = newest_events(reader, 5)
    assert len(found) == 5
    assert [position_of(line) for line in found] == sorted(position_of(line) for line in found)
    assert found[-1].type == "RunStopped"
    assert newest_events(reader, 5, after=position_of(found[-2])) == found[-1:]


def test_ticks_and_bars_are_told_when_they_are_asked_for(reader: JournalReader) -> None:
    assert {line.type for line in newest_events(reader, 50, types=["Bar", "Trade", "Quote"])} == {
        "Bar",
        "Trade",
        "Quote",
    }
    assert {line.type for line in newest_events(reader, 50, types=["OrderFilled"])} == {"OrderFilled"}
    with pytest.raises(AuditError, match="no events are of type Nonsense; there are: RunStarted, "):
        newest_events(reader, 5, types=["Nonsense"])


def test_a_feed_makes_the_bars_that_were_recorded(tmp_path: Path, reader: JournalReader) -> None:
    config = write_day(tmp_path)
    made = asyncio.run(bars_of_feed(load(config), "market", None, tmp_path))
    assert made.equals(recorded_bars(reader), null_equal=True)


def test_bars_are_chosen_by_instrument_timeframe_and_time(reader: JournalReader) -> None:
    bars = recorded_bars(reader)
    borders = [parse_time_ns(f"2025-03-03T10:0{minute}Z") for minute in (1, 3)]
    found = chosen(bars, "SIM:ALFA", "1m", *borders)
    assert found.select("instrument", "timeframe").unique().rows() == [("SIM:ALFA", "1m")]
    assert len(found) == 2
    with pytest.raises(AuditError, match="no bars of SIM:NONE; there are bars of SIM:ALFA, SIM:BETA"):
        chosen(bars, "SIM:NONE", None, None, None)


@pytest.mark.parametrize("name", ["bars.parquet", "bars.csv"])
def test_bars_are_written_as_the_name_says(name: str, tmp_path: Path, reader: JournalReader) -> None:
    bars = recorded_bars(reader)
    write_bars(bars, tmp_path / name)
    read = pl.read_parquet if name.endswith("parquet") else pl.read_csv
    assert read(tmp_path / name).height == bars.height
    with pytest.raises(AuditError, match=r"neither \.parquet nor \.csv"):
        write_bars(bars, tmp_path / "bars.xls")
