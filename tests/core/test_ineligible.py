"""What is marked as ineligible is kept and prices nothing: no market, no bar, no loss, no stop."""

import numpy as np
import pytest
from msgspec.structs import replace
from world import SETTINGS, Played, market

from tradingd.columns import INELIGIBLE, QUOTE, TICK_COLUMNS, TRADE, TickBatch, tick_batch
from tradingd.core.advance import advance
from tradingd.events import AnyBody, OrderFilled, OrderRequested, Signal

ROWS = 3000


def with_absurd(batch: TickBatch, kind: int) -> TickBatch:
    """Every row of a kind followed by an ineligible one at a hundred times its prices."""
    at = np.repeat(np.arange(len(batch)), np.where(batch.kind == kind, 2, 1))
    columns = {name: getattr(batch, name)[at] for name in TICK_COLUMNS}
    second = np.concatenate([[False], at[1:] == at[:-1]])
    columns["flags"] = np.where(second, INELIGIBLE, columns["flags"])
    for name in ("price", "ask_price"):
        columns[name] = np.where(second, columns[name] * 100.0, columns[name])
    return tick_batch(batch.source, **columns)


def without_ids(bodies: list[AnyBody]) -> list[AnyBody]:
    """Row numbers are others."""
    return [replace(body, cl_ord_id="", **({"parent": None} if hasattr(body, "parent") else {})) for body in bodies]


@pytest.mark.parametrize("kind", [QUOTE, TRADE], ids=["quotes", "trades"])
def test_a_day_with_ineligible_rows_is_traded_as_one_without(kind: int) -> None:
    # given a day, and the same with absurd prices that do not count
    plain = Played(SETTINGS, [[market(ROWS, seed=1)]])
    noisy = Played(SETTINGS, [[with_absurd(market(ROWS, seed=1), kind)]])
    # then strategies and the venue see no difference
    assert len(plain.bodies(OrderFilled)) > 100
    assert noisy.bodies(Signal) == plain.bodies(Signal)
    for what in (OrderRequested, OrderFilled):
        assert without_ids(noisy.bodies(what)) == without_ids(plain.bodies(what))
    assert [repr(bar[2:]) for bar in noisy.bars] == [repr(bar[2:]) for bar in plain.bars]
    assert noisy.state.ledger.accounts == plain.state.ledger.accounts


@pytest.mark.parametrize("sizes", [(1e6, 1e6), (0.0, 0.0)], ids=["prices", "emptied sides"])
def test_an_ineligible_quote_leaves_the_book_as_it_was(sizes: tuple[float, float]) -> None:
    played = Played(SETTINGS, [[market(ROWS, seed=1)]])
    now_ns, known = played.state.memory.core_ns, played.state.memory.market
    before = [float(column[1]) for column in (known.bid, known.bid_size, known.ask, known.ask_size, known.last)]
    quote = tick_batch(
        0, kind=QUOTE, flags=INELIGIBLE, instrument=1, ts_event_ns=np.array([now_ns]), price=[5.0], size=[sizes[0]],
        ask_price=[5.1], ask_size=[sizes[1]],
    )  # fmt: skip
    advance(played.state, [quote])
    after = [float(column[1]) for column in (known.bid, known.bid_size, known.ask, known.ask_size, known.last)]
    assert after == before
