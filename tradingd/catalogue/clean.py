"""What is removed on request, step by step, each recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from msgspec import to_builtins

from tradingd.catalogue.check_bars import impossible_rows, outlier_rows
from tradingd.catalogue.check_ticks import PRICES_OF, price_outliers
from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.findings import Limits, Mask, repeated
from tradingd.catalogue.records import Record, Step
from tradingd.catalogue.shapes import Kind, time_column
from tradingd.catalogue.store import Catalogue

SORT, DUPLICATES, OUTLIERS, IMPOSSIBLE = "sort", "drop-duplicates", "drop-outliers", "drop-impossible"


class Cleaned(NamedTuple):
    """`kept` is where the file from before the first of these steps is; None where nothing changed."""

    record: Record
    steps: list[Step]
    kept: Path | None


def clean(catalogue: Catalogue, record: Record, names: list[str], limits: Limits) -> Cleaned:
    """Steps in the order of STEPS, whatever that of `names`. Raises CatalogueError, DataRefusedError, OSError."""
    if not names:
        raise CatalogueError(f"say what to do: {', '.join(f'--{name}' for name in STEPS)}")
    before = catalogue.read(record)
    frame, steps = before, []
    for name, (step, parameters) in STEPS.items():
        if name in names:
            rows, frame = len(frame), step(frame, record.kind, limits)
            limits_used = {key: to_builtins(limits)[key] for key in parameters}
            steps.append(Step(name=name, parameters=limits_used, rows_before=rows, rows_after=len(frame)))
    if frame.equals(before):
        return Cleaned(record, steps, None)
    amended, kept = catalogue.amend(record, frame, steps)
    return Cleaned(amended, steps, kept)


def _sort(frame: pl.DataFrame, kind: Kind, _: Limits) -> pl.DataFrame:
    """Rows of one time keep their order."""
    return frame.sort(time_column(kind), maintain_order=True)


def _drop_duplicates(frame: pl.DataFrame, kind: Kind, _: Limits) -> pl.DataFrame:
    """Bars: the first one of each time stays. Ticks: only what is the same as the row above it goes."""
    if kind is Kind.BARS:
        return frame.unique("ts_open_ns", keep="first", maintain_order=True)
    return frame.filter(~repeated(frame))


def _drop_outliers(frame: pl.DataFrame, kind: Kind, limits: Limits) -> pl.DataFrame:
    if kind is Kind.BARS:
        masks = list(outlier_rows(frame, limits).values())
    else:
        masks = [price_outliers(frame, name, limits) for name in PRICES_OF[kind]]
    return frame.filter(~np.logical_or.reduce(masks))


def _drop_impossible(frame: pl.DataFrame, kind: Kind, _: Limits) -> pl.DataFrame:
    return frame.filter(~_impossible(frame, kind))


def _impossible(frame: pl.DataFrame, kind: Kind) -> Mask:
    if kind is Kind.BARS:
        return impossible_rows(frame)
    zeros = frame.select(pl.any_horizontal(pl.col(*PRICES_OF[kind]) == 0).fill_null(value=False))
    mask: Mask = zeros.to_series().to_numpy()
    return mask


STEPS: dict[str, tuple[Callable[[pl.DataFrame, Kind, Limits], pl.DataFrame], tuple[str, ...]]] = {
    SORT: (_sort, ()),
    DUPLICATES: (_drop_duplicates, ()),
    IMPOSSIBLE: (_drop_impossible, ()),
    OUTLIERS: (_drop_outliers, ("outlier", "outlier_min")),
}
