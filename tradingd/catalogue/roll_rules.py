"""When to go from one contract to the next: at dates, or when the next one is traded more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.roll import Contract
from tradingd.catalogue.trading_days import day_start_ns, day_starts_ns
from tradingd.instruments import Session


@dataclass(frozen=True)
class Rule:
    """When to roll: at the openings of dates, or after days of more volume. One of the two."""

    dates: Sequence[date] = ()
    volume_days: int | None = None

    def rolls_ns(self, contracts: Sequence[Contract], session: Session) -> list[int]:
        if (self.volume_days is None) == (not self.dates):
            raise CatalogueError("say when to roll: --at DATE for each roll, or --volume-days N")
        if self.volume_days is None:
            return rolls_at(self.dates, contracts, session)
        return rolls_by_volume(self.volume_days, contracts, session)


def rolls_at(dates: Sequence[date], contracts: Sequence[Contract], session: Session) -> list[int]:
    """The openings of these days. Raises CatalogueError."""
    if len(dates) != len(contracts) - 1:
        raise CatalogueError(f"{len(contracts)} contracts roll {len(contracts) - 1} times; say --at so often")
    if list(dates) != sorted(set(dates)):
        raise CatalogueError("--at: the dates do not follow each other; write them in the order of the contracts")
    return [day_start_ns(session, day) for day in dates]


def rolls_by_volume(days: int, contracts: Sequence[Contract], session: Session) -> list[int]:
    """After so many days in a row on which the next contract was traded more: from its next day on, when that is known.

    Days on which neither has a bar do not count. Raises CatalogueError.
    """
    volumes = [_volumes(contract, session) for contract in contracts]
    found: list[int] = []
    for index, (old, new) in enumerate(pairwise(contracts)):
        since = found[-1] if found else -(2**63)
        at_ns = _next_day(volumes[index], volumes[index + 1], since, days)
        if at_ns is None:
            raise CatalogueError(
                f"{new.instrument} is never traded more than {old.instrument} on {days} days in a row with a day after "
                "them; say when to roll with --at"
            )
        found.append(at_ns)
    return found


def _volumes(contract: Contract, session: Session) -> pl.DataFrame:
    """Columns day (its opening, ns) and volume."""
    bars = contract.bars
    if bars["volume"].null_count() == len(bars):
        raise CatalogueError(f"{contract.instrument} has no volume; say when to roll with --at")
    day = day_starts_ns(session, bars["ts_open_ns"].to_numpy()).alias("day")
    return bars.with_columns(day).group_by("day").agg(pl.col("volume").sum()).sort("day")


def _next_day(old: pl.DataFrame, new: pl.DataFrame, since: int, days: int) -> int | None:
    both = old.join(new, on="day", how="full", coalesce=True).filter(pl.col("day") >= since).sort("day").fill_null(0)
    more = (both["volume_right"] > both["volume"]).to_numpy()
    in_a_row = np.convolve(more, np.ones(days, np.int64))[: len(more)] == days
    after = both["day"].to_numpy()[in_a_row]
    later = new.filter(pl.col("day") > after[0])["day"] if len(after) else new["day"].clear()
    return int(later[0]) if len(later) else None
