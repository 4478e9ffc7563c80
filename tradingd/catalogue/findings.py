"""What a check finds: rows by kind, and words for those that are shown."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from msgspec import Struct

from tradingd.columns import I64
from tradingd.instruments import NS

Mask = npt.NDArray[np.bool_]
EPOCH = datetime(1970, 1, 1)


class Limits(Struct, frozen=True, kw_only=True):
    """Thresholds of the rules (docs/data.md).

    gap_bars      bars that have to be missing for a gap
    outlier       times the usual step between neighbours
    outlier_min   distance from a neighbour, relative, that is never an outlier
    split         how close a jump has to be to a ratio of small whole numbers, relative
    stale_bars    bars of the same prices, one after the other
    hours_share   share of the days that begin at another hour than most, and of bars outside of the session
    """

    gap_bars: int = 1
    outlier: float = 20.0
    outlier_min: float = 0.02
    split: float = 0.04
    stale_bars: int = 10
    hours_share: float = 0.02


class Found(NamedTuple):
    """Rows of one kind. A note is worth knowing and nothing is wrong with it."""

    kind: str
    rows: I64
    say: Callable[[int], str]
    is_note: bool = False


class Finding(Struct, frozen=True, kw_only=True):
    kind: str
    note: bool
    row: int
    ts_ns: int
    ts: str
    text: str


def where(kind: str, mask: Mask, say: Callable[[int], str], *, is_note: bool = False) -> list[Found]:
    """Nothing where there is nothing."""
    rows = np.flatnonzero(mask)
    return [Found(kind, rows, say, is_note)] if len(rows) else []


def repeated(frame: pl.DataFrame) -> Mask:
    """Rows that are the same as the one above, in every column."""
    same = frame.select(pl.all_horizontal(pl.all().eq_missing(pl.all().shift()))).to_series()
    mask: Mask = same.to_numpy().copy()
    mask[:1] = False
    return mask


def counts(found: Sequence[Found]) -> tuple[dict[str, int], dict[str, int]]:
    """Of findings and of notes, by kind."""
    sums: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for each in found:
        by_kind = sums[each.is_note]
        by_kind[each.kind] = by_kind.get(each.kind, 0) + len(each.rows)
    return sums


def shown(found: Sequence[Found], ts_ns: I64, limit: int | None) -> list[Finding]:
    """The first ones of each kind in words; None = all."""
    taken: Counter[tuple[str, bool]] = Counter()
    findings = []
    for each in found:
        key = each.kind, each.is_note
        rows = each.rows if limit is None else each.rows[: limit - taken[key]]
        taken[key] += len(rows)
        findings += [_finding(each, row, int(ts_ns[row])) for row in rows.tolist()]
    return findings


def _finding(found: Found, row: int, ts_ns: int) -> Finding:
    return Finding(kind=found.kind, note=found.is_note, row=row, ts_ns=ts_ns, ts=time_text(ts_ns), text=found.say(row))


def time_text(ts_ns: int) -> str:
    """In UTC, as short as it goes."""
    seconds, ns = divmod(int(ts_ns), NS)
    text = (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{ns:09d}".rstrip("0") if ns else text.removesuffix(":00")


def number(value: Any) -> str:
    """Without noise."""
    return f"{value:.10g}"
