"""What one batch made: the unit that the core hands to the journal and the journal hands back to a replay."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tradingd.columns import BAR, I64, BarArray, TickBatch
from tradingd.events import Event


@dataclass(frozen=True, slots=True)
class BarRows:
    """Closed bars at their positions, in (seq, n) order. `rows` is an array of columns.BAR."""

    seq: I64
    n: I64
    rows: BarArray

    def __len__(self) -> int:
        return len(self.seq)

    @classmethod
    def empty(cls) -> Self:
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, BAR))


@dataclass(frozen=True, slots=True)
class Commit:
    """Inputs and the facts they caused, made durable together. Consecutive commits are contiguous in seq.

    ticks    (seq of the first row, batch); rows have consecutive seqs
    events   inputs that are no ticks (n = 0) and facts (n >= 1), in (seq, n) order
    bars     facts too, kept as columns
    """

    first_seq: int
    last_seq: int
    ticks: tuple[tuple[int, TickBatch], ...]
    events: tuple[Event, ...]
    bars: BarRows
