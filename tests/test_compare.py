"""Where two commits of the same inputs differ first."""

import numpy as np
import pytest
from msgspec.structs import replace

from tradingd.columns import BAR
from tradingd.commit import BarRows, Commit
from tradingd.compare import Difference, first_difference
from tradingd.events import AnyBody, ClockAdvanced, Event, LateTick, OrderAccepted


def event(seq: int, n: int, body: AnyBody | None = None) -> Event:
    return Event(seq, n, 1, 1, "", body or OrderAccepted(f"id-{seq}-{n}"))


def bars(*places: tuple[int, int], close: float = 1.0, vwap: float = np.nan) -> BarRows:
    rows = np.zeros(len(places), BAR)
    rows["close"], rows["vwap"] = close, vwap
    seq, n = np.array(places, np.int64).reshape(-1, 2).T
    return BarRows(np.ascontiguousarray(seq), np.ascontiguousarray(n), rows)


def commit(*events: Event, bars: BarRows | None = None) -> Commit:
    return Commit(1, 20, (), events, bars or BarRows.empty())


def difference(recorded: Commit, derived: Commit) -> Difference:
    found = first_difference(recorded, derived)
    assert found is not None
    return found


def test_equal_commits_do_not_differ() -> None:
    made = commit(event(3, 1), event(5, 1), bars=bars((2, 1), (4, 1)))
    assert first_difference(made, commit(event(3, 1), event(5, 1), bars=bars((2, 1), (4, 1)))) is None
    assert first_difference(commit(), commit()) is None


def test_a_changed_fact_is_told_with_both_sides() -> None:
    was, is_now = event(5, 2), event(5, 2, LateTick(0, 7))
    found = difference(commit(event(3, 1), was), commit(event(3, 1), is_now))
    assert (found.seq, found.n, found.recorded, found.derived) == (5, 2, was, is_now)
    assert found.text == (
        "at (5, 2) the journal has OrderAccepted(cl_ord_id='id-5-2'), "
        "re-execution gives LateTick(instrument=0, ts_closed_ns=7)"
    )


@pytest.mark.parametrize("field", ["ts_event_ns", "ts_received_ns"])
def test_times_count_too(field: str) -> None:
    assert difference(commit(event(5, 1)), commit(replace(event(5, 1), **{field: 2}))).seq == 5


def test_a_missing_fact_and_one_too_many_are_found_where_they_stand() -> None:
    short, long = commit(event(3, 1), event(9, 1)), commit(event(3, 1), event(5, 1), event(9, 1))
    missing, extra = difference(long, short), difference(short, long)
    assert (missing.seq, missing.recorded, missing.derived) == (5, event(5, 1), None)
    assert (extra.seq, extra.recorded, extra.derived) == (5, None, event(5, 1))
    assert "the journal has nothing" in extra.text
    end = difference(commit(event(3, 1)), commit())
    assert (end.seq, end.derived) == (3, None)


def test_a_changed_bar_is_found_by_its_values() -> None:
    found = difference(commit(bars=bars((2, 1), (4, 1))), commit(bars=bars((2, 1), (4, 1), close=2.0)))
    assert (found.seq, found.n) == (2, 1)
    assert first_difference(commit(bars=bars((2, 1), vwap=1.5)), commit(bars=bars((2, 1)))) is not None


def test_a_missing_bar_and_one_too_many_are_found_where_they_stand() -> None:
    short, long = commit(bars=bars((9, 1))), commit(bars=bars((4, 1), (9, 1)))
    missing, extra = difference(long, short), difference(short, long)
    assert ((missing.seq, missing.derived), (extra.seq, extra.recorded)) == ((4, None), (4, None))
    assert missing.recorded is not None
    assert difference(commit(bars=bars((4, 1), (9, 1))), commit(bars=bars((4, 1)))).seq == 9


def test_the_first_of_events_and_bars_counts() -> None:
    a = commit(event(5, 1), bars=bars((3, 1)))
    b = commit(event(5, 1, LateTick(0, 1)), bars=bars((3, 1), close=2.0))
    assert (difference(a, b).seq, difference(a, b).n) == (3, 1)
    a, b = commit(event(5, 1), bars=bars((8, 1))), commit(bars=bars((8, 1), close=2.0))
    assert difference(a, b).seq == 5


@pytest.mark.parametrize("misplaced", [event(5, 0), event(5, 1, ClockAdvanced())], ids=["fact", "input"])
def test_what_stands_where_it_can_not_is_a_difference_though_re_execution_believes_it(misplaced: Event) -> None:
    found = difference(commit(event(3, 1), misplaced), commit(event(3, 1), misplaced))
    assert (found.seq, found.n, found.recorded, found.derived) == (5, misplaced.n, misplaced, None)
    assert found.text.endswith("which can not stand there")
