"""What holding costs in the core: at its instants, with the marks as they stood, once, also over restarts."""

from typing import Any

import pytest
from desk import START_NS, Desk, of
from msgspec.structs import replace
from recorder import BUILT_IN, Recorder
from world import ALFA, S, market

from tradingd.columns import TICK_COLUMNS, TickBatch, tick_batch
from tradingd.core.settings import CoreSettings
from tradingd.events import AccountChanged, AnyBody, OrderFilled, OrderRequested
from tradingd.instruments import DAY_NS, AccountSettings, Financing
from tradingd.strategies.contract import Target

TO_MIDNIGHT_S = (DAY_NS - START_NS % DAY_NS) / S
ONE = 1_000_000  # units
DOUBLE = {"max_leverage": 2.0, "gross_limit": 2.0, "net_limit": 2.0, "concentration_limit": 2.0}
FUNDED = Financing(funding_rate=0.0001)


def holding(target: float, **named: Any) -> Desk:
    """500 at 100, or what the target says of 100,000."""
    desk = Desk(Target(target), **({"stale_data_ms": None} | named))
    desk.trades(100.0, 100.0, 100.0)
    assert desk.lots == target * 1000
    return desk


def changes(bodies: list[AnyBody]) -> list[tuple[str, int]]:
    """What changed the balance, but for fills."""
    return [(b.reason, b.change) for b in of(AccountChanged, bodies) if b.reason not in ("realized", "fee")]


@pytest.mark.parametrize(("target", "paid"), [(0.5, -5), (-0.5, 5)])
def test_funding_is_paid_by_longs_at_the_mark_before_the_row_that_reaches_the_instant(target: float, paid: int) -> None:
    desk = holding(target, financing=FUNDED)
    assert changes(desk.trade(100.0, after_s=TO_MIDNIGHT_S - 4)) == []
    assert changes(desk.trade(140.0)) == [("funding SIM:ALFA", paid * ONE)]
    assert changes(desk.trade(140.0)) == []
    assert desk.state.ledger.accounts["USD"].postings["funding SIM:ALFA"] == paid * ONE


def test_instants_that_were_missed_are_one_posting_of_an_amount_each() -> None:
    desk = holding(-0.1, financing=Financing(borrow_rate=0.1, funding_rate=0.0001))
    facts = desk.trade(120.0, after_s=3 * DAY_NS / S)  # at the mark before it
    assert changes(facts) == [
        ("borrow SIM:ALFA", -3 * round(10_000 * ONE * 0.1 / 365)),
        ("funding SIM:ALFA", 9 * ONE),  # three a day
    ]


def test_interest_is_of_what_positions_leave() -> None:
    """A half of the money is in shares; the other half earns. Twice the money in shares is a debt."""
    account = AccountSettings("USD", "100000", interest_rate=0.0365, debit_rate=0.073)
    for target, leverage, change in ((0.5, 1.0, 5 * ONE), (-0.5, 1.0, 10 * ONE), (1.0, 1.0, 0)):
        desk = holding(target, account=account, max_leverage=leverage)
        assert changes(desk.trade(100.0, after_s=TO_MIDNIGHT_S)) == ([("interest", change)] if change else [])
    desk = Desk(Target(1.0, stop=99.0), account=account, risk_per_trade=0.02, **DOUBLE)
    desk.trades(100.0, 100.0, 100.0)
    assert desk.lots == 2000
    assert changes(desk.trade(100.0, after_s=TO_MIDNIGHT_S)) == [("interest", -20 * ONE)]


def test_what_has_reached_the_venue_before_an_instant_is_there_at_it() -> None:
    # given an order that is sent before midnight, 20 ms away from the venue, where there is something to trade with
    for sent_s, charges in ((0.03, [("funding SIM:ALFA", -5 * ONE)]), (0.01, [])):
        desk = Desk(Target(0.5), financing=FUNDED, stale_data_ms=None)
        desk.trade(100.0, after_s=TO_MIDNIGHT_S - 1 - sent_s)
        desk.quote(99.9, 100.1)
        desk.trade(100.0)
        assert len(desk.state.ledger.orders) == 1
        # when nothing comes before midnight
        facts = desk.trade(100.0)
        # then it was held at midnight where it had arrived before
        assert (changes(facts), desk.lots) == (charges, 500)


def test_a_charge_is_seen_by_what_watches_losses() -> None:
    short = holding(-1.0, financing=Financing(borrow_rate=300.0), daily_loss=0.5)
    assert [order.reason for order in of(OrderRequested, short.trade(100.0, after_s=TO_MIDNIGHT_S))] == ["liquidation"]


# restarts

CHARGED = replace(
    BUILT_IN,
    instruments=(replace(ALFA, financing=Financing(0.05, 0.0001, 1)), BUILT_IN.instruments[1]),
    accounts=(AccountSettings("USD", "1000000", interest_rate=0.01),),
)


def moved(ticks: TickBatch, shift_ns: int) -> TickBatch:
    columns = {name: getattr(ticks, name) for name in TICK_COLUMNS}
    columns |= {name: columns[name] + shift_ns for name in ("ts_event_ns", "ts_received_ns")}
    return tick_batch(ticks.source, **columns)


def over_midnight(row: int) -> TickBatch:
    """A market of which midnight is just before a row."""
    ticks = market(3000, seed=1)
    at_ns = int(ticks.ts_received_ns[row])
    return moved(ticks, DAY_NS - at_ns % DAY_NS)


def charged(recorder: Recorder) -> list[str]:
    changes = (body for body in recorder.bodies(AccountChanged) if isinstance(body, AccountChanged))
    return [body.reason for body in changes if body.reason not in ("realized", "fee")]


@pytest.mark.parametrize("row", [1999, 2000, 2001])
def test_a_start_with_other_settings_neither_skips_nor_doubles_a_charge(row: int) -> None:
    # given a run that is stopped around midnight
    ticks = over_midnight(2000)
    recorder = Recorder(CHARGED, ticks)
    recorder.play(0, row, step=1)
    before = charged(recorder)
    # when another one goes on
    recorder.warm(with_other_bars(CHARGED), epoch=2)
    recorder.play(row, 3000)
    # then midnight was charged once
    after = charged(recorder)
    assert after[: len(before)] == before
    assert after == ["borrow SIM:ALFA"] * ("borrow SIM:ALFA" in after) + ["funding SIM:ALFA", "interest"]
    assert recorder.bodies(OrderFilled)


def test_charges_begin_with_the_settings_that_ask_for_them() -> None:
    ticks = over_midnight(2000)
    recorder = Recorder(BUILT_IN, ticks)
    recorder.play(0, 2500)
    recorder.warm(CHARGED, epoch=2)
    recorder.play(2500, 3000)
    assert charged(recorder) == []


def test_an_instant_while_nobody_ran_is_charged_once_when_time_passes() -> None:
    ticks = over_midnight(2000)
    recorder = Recorder(CHARGED, ticks.slice(0, 1500))
    recorder.play(0, 1500)
    recorder.warm(with_other_bars(CHARGED), epoch=2)
    recorder.ticks = ticks
    recorder.take(ticks.slice(2100, 2101))
    assert charged(recorder)[-2:] == ["funding SIM:ALFA", "interest"]
    recorder.play(2101, 3000)
    assert charged(recorder).count("interest") == 1


def with_other_bars(settings: CoreSettings) -> CoreSettings:
    return replace(settings, bars=replace(settings.bars, timeframes=("1s",)))
