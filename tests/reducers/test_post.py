"""Money after fills: conserved to the last unit, whatever is traded at whatever price."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.events import AccountChanged, OrderFilled, PositionChanged, Side
from tradingd.grid import grid_of
from tradingd.instruments import AccountSettings, AssetClass, Instrument
from tradingd.kernels.posting import notional_units
from tradingd.reducers.apply import apply
from tradingd.reducers.ledger import Ledger, open_ledger
from tradingd.reducers.post import post

FILLS = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from(Side), st.integers(1, 10**6), st.integers(-(10**5), 10**7),
        st.integers(-50, 10**6),
    ),
    max_size=40,
)  # fmt: skip


def fill(instruments: tuple[Instrument, ...], index: int, side: Side, lots: int, ticks: int, fee: int) -> OrderFilled:
    quantity = grid_of(instruments[index].lot_size).value(lots)
    price = grid_of(instruments[index].tick_size).value(ticks)
    return OrderFilled(
        cl_ord_id="o", instrument=index, side=side, last_qty=quantity, last_px=price, cum_qty=quantity, leaves_qty=0.0,
        fee=fee, trade_id="T",
    )  # fmt: skip


def post_and_apply(ledger: Ledger, instruments: tuple[Instrument, ...], body: OrderFilled) -> None:
    for fact in post(ledger, instruments, body):
        assert apply(ledger, instruments, fact, 0) is None


WORLD = (
    Instrument("SIM:A", AssetClass.SPOT, tick_size=0.01, lot_size=0.001, currency="USD"),
    Instrument("SIM:B", AssetClass.FUTURE, tick_size=0.25, lot_size=1.0, currency="USD", multiplier=50.0),
)


@given(FILLS)
def test_conservation_to_the_last_unit(story: list[tuple[int, Side, int, int, int]]) -> None:
    ledger = open_ledger([AccountSettings("USD", "1000000", "0.01")])
    bought = [0, 0]
    for index, side, lots, ticks, fee in story:
        body = fill(WORLD, index, side, lots, ticks, fee)
        bought[index] += side.sign * notional_units(body.last_px, body.last_qty, WORLD[index].multiplier, 100)
        post_and_apply(ledger, WORLD, body)
    for index, position in ledger.positions.items():
        assert position.cost == bought[index] + position.realized
    realized = sum(position.realized for position in ledger.positions.values())
    fees = sum(fee for *_, fee in story)
    assert ledger.accounts["USD"].balance == 100_000_000 + realized - fees
    assert sum(ledger.accounts["USD"].postings.values()) == realized - fees


def test_the_facts_of_a_round_trip(ledger: Ledger, instruments: tuple[Instrument, ...]) -> None:
    # given 2 futures bought at 4000.25, when one is sold at 4001.00 with a fee of 2.00
    post_and_apply(ledger, instruments, fill(instruments, 1, Side.BUY, 2, 16001, 0))
    facts = post(ledger, instruments, fill(instruments, 1, Side.SELL, 1, 16004, 20_000))
    # then 0.75 x 50 are realised, and both postings lead to the balance
    assert facts == (
        PositionChanged(instrument=1, lots=1, cost=2_000_125_000, realized=375_000),
        AccountChanged(currency="USD", balance=1_000_375_000, change=375_000, reason="realized"),
        AccountChanged(currency="USD", balance=1_000_355_000, change=-20_000, reason="fee"),
    )


def test_an_opening_fill_without_fee_posts_no_money(ledger: Ledger, instruments: tuple[Instrument, ...]) -> None:
    facts = post(ledger, instruments, fill(instruments, 0, Side.SELL, 1000, 10_000, 0))
    assert facts == (PositionChanged(instrument=0, lots=-1000, cost=-1_000_000, realized=0),)


def test_money_that_does_not_fit_is_refused(ledger: Ledger, instruments: tuple[Instrument, ...]) -> None:
    with pytest.raises(OverflowError):
        post(ledger, instruments, fill(instruments, 1, Side.BUY, 10**9, 10**9, 0))
