"""What a commit must be before it is written; anything else is a bug of whoever made it."""

from collections.abc import Iterator

import numpy as np

from tradingd.columns import FRAME, I64
from tradingd.commit import Commit

N_LIMIT = 2**31  # the journal keeps n in 32 bits


def check(commit: Commit) -> None:
    """Raises ValueError unless every seq is exactly one input and all facts stand in order at inputs of the commit."""
    _check_inputs(commit)
    _check_frames(commit)
    seq, n = _positions(commit)
    _ascending(commit, "events", seq, n)
    _ascending(commit, "bars", commit.bars.seq, commit.bars.n)
    _check_bars(commit, seq, n)


def _positions(commit: Commit) -> tuple[I64, I64]:
    """(seq, n) of its events."""
    count = len(commit.events)
    seq = np.fromiter([event.seq for event in commit.events], np.int64, count)
    return seq, np.fromiter([event.n for event in commit.events], np.int64, count)


def _check_inputs(commit: Commit) -> None:
    rows = commit.last_seq - commit.first_seq + 1
    if commit.first_seq < 1 or rows < 1:
        raise ValueError(f"a commit covers at least one input, not seq {commit.first_seq} to {commit.last_seq}")
    next_seq = commit.first_seq
    for first, end in sorted(_input_ranges(commit)):
        if first != next_seq:
            raise ValueError(f"seq {min(first, next_seq)} has {'no' if first > next_seq else 'more than one'} input")
        next_seq = end
    if next_seq != commit.last_seq + 1:
        raise ValueError(f"inputs end at seq {next_seq - 1}, the commit at {commit.last_seq}")


def _input_ranges(commit: Commit) -> Iterator[tuple[int, int]]:
    yield from ((first, first + len(batch)) for first, batch in commit.ticks if len(batch))
    yield from ((event.seq, event.seq + 1) for event in commit.events if event.n == 0)


def _check_frames(commit: Commit) -> None:
    for first, batch in commit.ticks:
        rows = int(np.count_nonzero(batch.kind == FRAME))
        if rows != len(batch.frames):
            raise ValueError(f"batch at seq {first} has {rows} rows of kind FRAME and {len(batch.frames)} payloads")
    starts = [first for first, _ in commit.ticks]
    if starts != sorted(starts):
        raise ValueError("tick batches are not in seq order")


def _ascending(commit: Commit, what: str, seq: I64, n: I64) -> None:
    if not len(seq):
        return
    if seq[0] < commit.first_seq or seq[-1] > commit.last_seq or n.min() < 0:
        raise ValueError(f"{what} stand outside of seq {commit.first_seq} to {commit.last_seq}")
    later = (seq[1:] > seq[:-1]) | ((seq[1:] == seq[:-1]) & (n[1:] > n[:-1]))
    if not later.all():
        at = int(np.argmin(later)) + 1
        raise ValueError(f"{what} are not in order at ({seq[at]}, {n[at]})")


def _check_bars(commit: Commit, seq: I64, n: I64) -> None:
    bars = commit.bars
    if not len(bars):
        return
    if bars.n.min() < 1:
        raise ValueError("a bar is a fact and has n >= 1")
    bar_keys, keys = _keys(commit, bars.seq, bars.n), _keys(commit, seq, n)
    at = np.searchsorted(bar_keys, keys)
    shared = np.flatnonzero(bar_keys[np.minimum(at, len(bars) - 1)] == keys)
    if len(shared):
        event = commit.events[shared[0]]
        raise ValueError(f"a bar and a {type(event.body).__name__} share the position ({event.seq}, {event.n})")


def _keys(commit: Commit, seq: I64, n: I64) -> I64:
    """Positions as single numbers, in the same order."""
    return (seq - commit.first_seq) * N_LIMIT + n
