"""Bars of several contracts as one series: which contract when, and by how much the older ones are shifted."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import polars as pl

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.findings import number, time_text
from tradingd.catalogue.shapes import PRICES
from tradingd.catalogue.trading_days import day_starts_ns
from tradingd.instruments import Session

Adjust = Literal["none", "difference", "ratio"]
NONE, DIFFERENCE, RATIO = "none", "difference", "ratio"


class Contract(NamedTuple):
    """`bars` are in order, one per time."""

    instrument: str
    bars: pl.DataFrame


class Pair(NamedTuple):
    """Closes of two contracts at one time, in units of price."""

    ts_close_ns: int
    old: float
    new: float

    @property
    def difference(self) -> float:
        return self.new - self.old

    @property
    def ratio(self) -> float:
        return self.new / self.old


def segments(contracts: Sequence[Contract], rolls_ns: Sequence[int]) -> list[pl.DataFrame]:
    """The bars of each contract from its roll on until the next one's: those that open at or after it, and before.

    Raises CatalogueError where a contract has none.
    """
    found = []
    for contract, since, until in zip(contracts, [None, *rolls_ns], [*rolls_ns, None], strict=True):
        opened, mine = pl.col("ts_open_ns"), pl.lit(value=True)
        mine = mine & (opened >= since) if since is not None else mine
        mine = mine & (opened < until) if until is not None else mine
        found.append(contract.bars.filter(mine))
        if found[-1].is_empty():
            raise CatalogueError(f"{contract.instrument} has no bars {_between(since, until)}; roll at other dates")
    return found


def _between(since: int | None, until: int | None) -> str:
    after = f"from {time_text(since)} on" if since is not None else ""
    return " ".join(filter(None, [after, f"until {time_text(until)}" if until is not None else ""]))


def pairs(contracts: Sequence[Contract], rolls_ns: Sequence[int], session: Session) -> list[Pair]:
    """At each roll the last bar before it that both contracts have; it has to be of the old one's last day.

    Raises CatalogueError.
    """
    return [
        _pair(old, new, at_ns, session) for old, new, at_ns in zip(contracts, contracts[1:], rolls_ns, strict=False)
    ]


def _pair(old: Contract, new: Contract, at_ns: int, session: Session) -> Pair:
    mine = old.bars.filter((pl.col("ts_open_ns") < at_ns) & pl.col("close").is_not_null())
    columns = ("ts_open_ns", "ts_close_ns", "close")
    both = mine.select(columns).join(new.bars.select(columns), on=columns[:2], how="inner", maintain_order="left")
    both = both.filter(pl.col("close_right").is_not_null()).tail(1)
    names = f"{old.instrument} and {new.instrument}"
    if both.is_empty():
        raise CatalogueError(f"{names} have no bar in common before {time_text(at_ns)}; --adjust none joins them as is")
    opened, closed, before, after = both.row(0)
    days = day_starts_ns(session, pl.concat([both["ts_open_ns"], mine["ts_open_ns"].tail(1)]).to_numpy())
    if days[0] != days[1]:
        raise CatalogueError(
            f"{names} have their last bar in common at {time_text(opened)}, a day or more before {old.instrument} "
            f"ends ({time_text(mine['ts_open_ns'][-1])}); roll earlier, or with --adjust none"
        )
    return Pair(closed, before, after)


def shifts(found: Sequence[Pair], adjust: Adjust) -> list[float]:
    """By contract what is added to its prices (difference, in units of price) or what they are multiplied by (ratio).

    Back-adjustment: the newest contract keeps its prices, and each older one is shifted by all rolls after it, by
    the sum of new - old ("Panama") or the product of new / old of the pairs
    (https://quantpedia.com/continuous-futures-contracts-methodology-for-backtesting/).
    """
    shift = 1.0 if adjust == RATIO else 0.0
    back = [shift]
    for pair in reversed(found):
        shift = shift * pair.ratio if adjust == RATIO else shift + pair.difference
        back.append(shift)
    return back[::-1]


def shifted(bars: pl.DataFrame, shift: float, adjust: Adjust) -> pl.DataFrame:
    """Prices only: volumes are contracts, whatever these cost."""
    prices = pl.col(*PRICES)
    return bars.with_columns(prices * shift if adjust == RATIO else prices + shift)


def check_positive(contracts: Sequence[Contract], parts: Sequence[pl.DataFrame], found: Sequence[Pair]) -> None:
    """A ratio turns the moves of prices below 0 around, and 0 has none. Raises CatalogueError."""
    for contract, bars in zip(contracts, parts, strict=True):
        low = bars.filter(pl.min_horizontal(*PRICES) <= 0)
        if len(low):
            price, at = low.select(pl.min_horizontal(*PRICES)).item(0, 0), time_text(low["ts_open_ns"][0])
            _refuse_ratio(contract.instrument, price, at)
    for contract, pair in zip(contracts, found, strict=False):
        if min(pair.old, pair.new) <= 0:
            _refuse_ratio(contract.instrument, min(pair.old, pair.new), time_text(pair.ts_close_ns))


def _refuse_ratio(instrument: str, price: float, at: str) -> None:
    raise CatalogueError(
        f"{instrument} has a price of {number(price)} at {at}, and ratios need prices above 0; --adjust difference"
    )
