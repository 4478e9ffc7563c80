"""Rules over trades and quotes."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from tradingd.catalogue.findings import Found, Limits, Mask, number, repeated, time_text, where
from tradingd.catalogue.outliers import tick_outliers
from tradingd.catalogue.shapes import Kind

PRICES_OF = {Kind.TRADES: ("price",), Kind.QUOTES: ("bid", "ask")}


def tick_rules(frame: pl.DataFrame, kind: Kind, limits: Limits) -> list[Found]:
    """In the order in which they are told."""
    found = list(_order(frame))
    for name in PRICES_OF[kind]:
        found += [*_signs(frame, name), *_outlier_rule(frame, name, limits)]
    return found + (list(_crossed(frame)) if kind is Kind.QUOTES else [])


def _order(frame: pl.DataFrame) -> Iterator[Found]:
    ts_ns = frame["ts_event_ns"].to_numpy()
    back = np.diff(ts_ns, prepend=ts_ns[:1]) < 0
    yield from where("time_back", back, lambda row: f"before the row above it ({time_text(ts_ns[row - 1])})")
    same = repeated(frame)
    yield from where(
        "duplicate", same, lambda _: "the same as the row above it; two equal trades look like that too", is_note=True
    )


def _signs(frame: pl.DataFrame, name: str) -> Iterator[Found]:
    prices = frame[name]
    yield from where("zero", (prices == 0).fill_null(value=False).to_numpy(), lambda _: f"{name} is exactly 0")
    below = (prices < 0).fill_null(value=False).to_numpy()
    yield from where("negative", below, lambda row: f"{name} {number(prices[row])} is below zero", is_note=True)


def price_outliers(frame: pl.DataFrame, name: str, limits: Limits) -> Mask:
    """Of the rows that have this price, against those around them."""
    prices = frame[name]
    mask = np.zeros(len(frame), np.bool_)
    mask[prices.is_not_null().to_numpy()] = tick_outliers(prices.drop_nulls().to_numpy(), limits)
    return mask


def _outlier_rule(frame: pl.DataFrame, name: str, limits: Limits) -> Iterator[Found]:
    prices = frame[name]
    yield from where(
        "outlier",
        price_outliers(frame, name, limits),
        lambda row: f"{name} {number(prices[row])}, far from the rows before and after it",
    )


def _crossed(frame: pl.DataFrame) -> Iterator[Found]:
    bid, ask = frame["bid"], frame["ask"]
    crossed = (bid > ask).fill_null(value=False).to_numpy()
    yield from where(
        "crossed", crossed, lambda row: f"bid {number(bid[row])} above ask {number(ask[row])}", is_note=True
    )
