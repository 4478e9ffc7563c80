"""The book in an array beside one of dicts: best prices, sizes, and never crossed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tradingd.kernels.depth_book import ASK, BID, clear, is_plain, set_ask, set_bid

CELLS = 12
EVENTS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, CELLS - 2), st.integers(0, 3)), max_size=60)


def plain_set(own: dict[int, float], other: dict[int, float], cell: int, lots: float, is_bid: bool) -> None:
    if lots == 0:
        own.pop(cell, None)
        return
    for price in [p for p in other if (p <= cell if is_bid else p >= cell)]:
        del other[price]
    own[cell] = lots


@given(EVENTS)
def test_the_array_is_the_book(events: list[tuple[int, int, int]]) -> None:
    sizes = np.zeros(CELLS)
    sizes[0] = sizes[-1] = 1.0
    bid, ask = 0, CELLS - 1
    bids: dict[int, float] = {}
    asks: dict[int, float] = {}
    for kind, cell, lots in events:
        before, plain = (bid, ask), is_plain(kind, cell, float(lots), bid, ask)
        if kind == BID:
            bid, ask = set_bid(sizes, cell, float(lots), bid, ask)
            plain_set(bids, asks, cell, lots, True)
        elif kind == ASK:
            bid, ask = set_ask(sizes, cell, float(lots), bid, ask)
            plain_set(asks, bids, cell, lots, False)
        else:
            bid, ask = clear(sizes, 1, CELLS - 2)
            bids, asks = {}, {}
        assert (bid, ask) == (max(bids, default=0), min(asks, default=CELLS - 1))
        assert bid < ask
        assert {i: size for i, size in enumerate(sizes[1:-1], 1) if size} == bids | asks
        assert not plain or ((bid, ask) == before and sizes[cell] == lots)
