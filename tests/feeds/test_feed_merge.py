"""Merging streams of rows, against a merge that anyone can see is right."""

from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tradingd.columns import TRADE
from tradingd.events import Gap
from tradingd.feeds.merge import merge
from tradingd.feeds.rows import REJECTED, Rejection, Rows, concat_rows, empty_columns, rebatched

Streams = list[list[list[int]]]  # receive times by stream and chunk


def rows_of(times: list[int], stream: int, first: int) -> Rows:
    columns = empty_columns(len(times))
    columns["kind"][:] = TRADE
    columns["ts_received_ns"][:] = times
    columns["file"][:] = stream
    columns["line"] = np.arange(first, first + len(times))
    rejected = {i: Rejection("odd", f"{stream}:{first + i}") for i, time in enumerate(times) if time % 3 == 0}
    return Rows(columns).rejecting(rejected)


def stream_of(chunks: list[list[int]], stream: int) -> Iterator[Rows]:
    first = 0
    for times in chunks:
        yield rows_of(times, stream, first)
        first += len(times)


def expected(streams: Streams) -> list[tuple[int, int]]:
    """(stream, line) sorted by (running maximum of time, stream), lines of a stream in order."""
    keyed = []
    for stream, chunks in enumerate(streams):
        latest = 0
        for line, time in enumerate(time for times in chunks for time in times):
            latest = max(latest, time)
            keyed.append((latest, stream, line))
    return [(stream, line) for _, stream, line in sorted(keyed)]


@given(
    st.lists(st.lists(st.lists(st.integers(0, 12), max_size=6), max_size=4), min_size=1, max_size=4),
    st.integers(1, 9),
)
def test_any_streams_are_merged_stably_by_the_running_maximum_of_their_times(streams: Streams, rows_ahead: int) -> None:
    pieces = list(merge([stream_of(chunks, number) for number, chunks in enumerate(streams)], rows_ahead))
    places = [
        (file, line)
        for piece in pieces
        for file, line in zip(piece.columns["file"], piece.columns["line"], strict=True)
    ]
    assert places == expected(streams)
    for piece in pieces:
        for row, rejection in piece.rejected.items():
            assert piece.columns["kind"][row] == REJECTED
            assert rejection.text == f"{piece.columns['file'][row]}:{piece.columns['line'][row]}"


def test_only_what_is_needed_is_read_ahead() -> None:
    read = []

    def endless(stream: int) -> Iterator[Rows]:
        for first in range(0, 10**9, 10):
            read.append(stream)
            yield rows_of(list(range(first, first + 10)), stream, first)

    merged = merge([endless(0), endless(1)], rows_ahead=20)
    rows = sum(len(next(merged)) for _ in range(50))
    assert len(read) * 10 - rows <= 2 * (20 + 10)


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 7))
def test_rebatched_pieces_are_all_full_but_the_last(sizes: list[int], rows: int) -> None:
    starts = np.cumsum([0, *sizes]).tolist()
    pieces = [rows_of(list(range(start, start + size)), 0, start) for start, size in zip(starts, sizes, strict=False)]
    batches = list(rebatched(pieces, rows))
    assert [line for batch in batches for line in batch.columns["line"].tolist()] == list(range(sum(sizes)))
    assert all(len(batch) == rows for batch in batches[:-1])
    assert all(0 < len(batch) <= rows for batch in batches[-1:])


def test_rejections_and_gaps_keep_to_their_rows() -> None:
    gap = Gap("feed", 0, 1, "")
    rows = Rows(rows_of([1, 2, 3, 4], 0, 0).columns, {2: Rejection("odd", "")}, {1: gap})
    joined = concat_rows([rows, rows])
    assert (list(joined.rejected), list(joined.gaps)) == ([2, 6], [1, 5])
    part = joined.slice(5, 8)
    assert (list(part.rejected), list(part.gaps)) == ([1], [0])
    turned = rows.reordered(np.array([3, 2, 1, 0]))
    assert (list(turned.rejected), list(turned.gaps)) == ([1], [2])
