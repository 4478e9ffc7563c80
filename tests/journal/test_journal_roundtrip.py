"""What was appended comes back bit by bit, and the digest is the same however it was stored."""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tradingd.columns import BAR, FRAME, QUOTE, TRADE, TickBatch, tick_batch
from tradingd.commit import BarRows, Commit
from tradingd.events import (
    Anomaly,
    AnyBody,
    ClockAdvanced,
    Event,
    FundingRate,
    Gap,
    InputRejected,
    OrderAccepted,
    Signal,
)
from tradingd.journal import segments
from tradingd.journal.chain import ChainPoint
from tradingd.journal.database import insert, open_writable, read_tables
from tradingd.journal.digest import CommitRow, Encoded
from tradingd.journal.folder import Paths
from tradingd.journal.reader import JournalReader
from tradingd.journal.settings import JournalSettings
from tradingd.journal.tables import Tables, tables_of
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

NO_START = (0, 0, 0, 0)
SMALL = JournalSettings(roll_daily=False, memory_mb=256)
EXAMPLES = hypothesis_settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])

int64s = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=True).map(lambda value: value + 0.0)  # -0.0 is not canonical
absent_floats = st.one_of(st.just(math.nan), floats)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@st.composite
def batches(draw: st.DrawFn) -> TickBatch:
    rows = draw(st.integers(1, 5))

    def column(values: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    kind = column(st.sampled_from([TRADE, QUOTE, FRAME]))
    return tick_batch(
        draw(st.integers(0, 65535)),
        frames=tuple(draw(st.binary(max_size=9)) for one in kind if one == FRAME),
        kind=kind,
        flags=column(st.integers(0, 255)),
        instrument=column(st.integers(0, 65535)),
        ts_event_ns=column(int64s),
        ts_received_ns=column(int64s),
        price=column(absent_floats),
        size=column(absent_floats),
        ask_price=column(absent_floats),
        ask_size=column(absent_floats),
        venue_id=column(int64s),
    )


inputs: st.SearchStrategy[AnyBody] = st.one_of(
    st.just(ClockAdvanced()),
    st.builds(Gap, texts, st.one_of(st.none(), st.integers(0, 65535)), int64s, texts),
    st.builds(InputRejected, texts, texts, texts, texts),
    st.builds(FundingRate, texts, st.integers(0, 65535), st.floats(-1, 1)),
)
facts: st.SearchStrategy[AnyBody] = st.one_of(
    st.builds(Anomaly, texts, texts),
    st.builds(OrderAccepted, texts),
    st.builds(
        Signal,
        texts,
        st.integers(0, 65535),
        int64s,
        st.floats(allow_nan=False, allow_infinity=False),
        st.floats(0, 1),
        st.floats(0, 1e300),
    ),
)


@st.composite
def commits(draw: st.DrawFn, first_seq: int = 1) -> Commit:
    """Ticks and other inputs in any order, each with facts and bars."""
    seq = first_seq
    ticks: list[tuple[int, TickBatch]] = []
    events: list[Event] = []
    bars: list[tuple[int, int]] = []
    for item in draw(st.lists(st.one_of(batches(), inputs), min_size=1, max_size=5)):
        if isinstance(item, TickBatch):
            ticks.append((seq, item))
            seq += len(item)
        else:
            events.append(Event(seq, 0, draw(int64s), draw(int64s), draw(texts), item))
            seq += 1
        for n, body in enumerate(draw(st.lists(st.one_of(facts, st.none()), max_size=3)), start=1):
            if body is None:
                bars.append((seq - 1, n))
            else:
                events.append(Event(seq - 1, n, draw(int64s), draw(int64s), "", body))
    return Commit(first_seq, seq - 1, tuple(ticks), tuple(events), _bar_rows(draw, bars))


def _bar_rows(draw: st.DrawFn, positions: list[tuple[int, int]]) -> BarRows:
    rows = np.zeros(len(positions), BAR)
    for row in rows:
        for name in ("open", "high", "low", "close", "volume", "vwap"):
            row[name] = draw(absent_floats)
        row["ts_open"], row["ts_close"], row["trades"] = draw(int64s), draw(int64s), draw(int64s)
        row["instrument"], row["timeframe"] = draw(st.integers(0, 65535)), draw(st.integers(0, 255))
    seq, n = np.array(positions, np.int64).reshape(-1, 2).T
    return BarRows(np.ascontiguousarray(seq), np.ascontiguousarray(n), rows)


@st.composite
def journals(draw: st.DrawFn) -> list[Commit]:
    made: list[Commit] = []
    for _ in range(draw(st.integers(1, 3))):
        made.append(draw(commits(made[-1].last_seq + 1 if made else 1)))
    return made


@given(journals(), st.integers(0, 3))
@EXAMPLES
def test_what_was_appended_comes_back_also_after_rollover_and_seal(
    contents: Callable[[Commit], object], made: list[Commit], roll_after: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.open(Path(folder), SMALL)
        for number, commit in enumerate(made, start=1):
            journal.append(commit)
            if number == roll_after:
                journal.roll()
        head = journal.head
        journal.seal()
        assert [contents(found) for found in journal.reader().commits()] == [contents(commit) for commit in made]
        journal.close()
        with JournalReader.open(Path(folder)) as reader:
            assert [contents(found) for found in reader.commits()] == [contents(commit) for commit in made]
        report = verify(Path(folder))
        assert report.fault is None
        assert report.end.digest == head.digest


def encoded(tables: Tables) -> list[bytes]:
    return [bytes(piece) for piece in Encoded(tables).part(NO_START, tables.counts)]


@given(commits())
@EXAMPLES
def test_the_bytes_of_the_digest_survive_storage(made: Commit) -> None:
    """Before and after a checkpoint, and a copy into another file."""
    tables = tables_of(made)
    row = CommitRow(1, made.first_seq, made.last_seq, 1, *tables.counts, digest=b"\0" * 32)
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder))
        paths.segments.mkdir()
        segments.create(paths, 1, "ID", ChainPoint(0, 0, b""), SMALL)
        connection = open_writable(paths.segment(1), SMALL)
        insert(connection, tables, row)
        assert encoded(read_tables(connection, 1, made.last_seq)) == encoded(tables)
        connection.execute("CHECKPOINT")
        assert encoded(read_tables(connection, 1, made.last_seq)) == encoded(tables)
        connection.close()


@given(st.data())
@EXAMPLES
def test_split_differently_the_rows_are_the_same(data: st.DataObject) -> None:
    """The rows' bytes of two commits are those of one commit with both."""
    first = data.draw(commits())
    second = data.draw(commits(first.last_seq + 1))
    joined = Commit(
        first.first_seq,
        second.last_seq,
        first.ticks + second.ticks,
        first.events + second.events,
        BarRows(*(np.concatenate([getattr(first.bars, n), getattr(second.bars, n)]) for n in BarRows.__slots__)),
    )
    parts = zip(encoded(tables_of(first)), encoded(tables_of(second)), strict=True)
    assert encoded(tables_of(joined)) == [one + other for one, other in parts]
