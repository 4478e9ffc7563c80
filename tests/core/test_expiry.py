"""An instrument that expires: orders end, what is held is settled at the last mark, and nothing trades afterwards."""

from desk import START_NS, Desk, of
from msgspec.structs import replace
from recorder import BUILT_IN, Recorder
from world import T0, S, market

from tradingd.events import AccountChanged, OrderExpired, OrderFilled, OrderRefused, OrderRequested, PositionChanged
from tradingd.instruments import DAY_NS
from tradingd.strategies.contract import Target

MIDNIGHT = "2023-11-15"
TO_MIDNIGHT_S = (DAY_NS - START_NS % DAY_NS) / S


def test_what_is_held_is_settled_at_the_last_mark_without_costs() -> None:
    # given a position with protection that rests
    desk = Desk(Target(0.5, stop=90.0), expires=MIDNIGHT, stale_data_ms=None)
    desk.trades(100.0, 100.0, 100.0, 103.0)
    assert (desk.lots, len(desk.state.ledger.orders)) == (500, 1)
    # when the day begins at which it expires
    facts = desk.trade(140.0, after_s=TO_MIDNIGHT_S)
    # then the order ends and the position is closed at the mark before
    assert [body.text for body in of(OrderExpired, facts)] == ["the instrument has expired"]
    (request,), (fill,) = of(OrderRequested, facts), of(OrderFilled, facts)
    assert (request.reason, fill.last_px, fill.last_qty, fill.fee) == ("expiry", 103.0, 500.0, 0)
    assert [body.lots for body in of(PositionChanged, facts)] == [0]
    assert [body.change for body in of(AccountChanged, facts)] == [1_500_000_000]
    assert desk.state.ledger.orders == desk.state.memory.venue.working == {}
    assert of(OrderFilled, desk.trade(80.0)) == []


def test_after_it_every_order_is_refused() -> None:
    desk = Desk(None, None, Target(0.5), expires=MIDNIGHT, stale_data_ms=None)
    desk.trades(100.0, 100.0)
    desk.trade(100.0, after_s=TO_MIDNIGHT_S)
    facts = desk.trade(100.0)
    assert [(body.rule, body.text) for body in of(OrderRefused, facts)] == [
        ("expired", "SIM:ALFA has expired at 2023-11-15")
    ]


def test_an_order_on_its_way_ends_too() -> None:
    desk = Desk(Target(0.5), expires=MIDNIGHT, stale_data_ms=None)
    desk.trade(100.0, after_s=TO_MIDNIGHT_S - 1.01)
    desk.trade(100.0)  # 10 ms before midnight, and the venue is 20 ms away
    facts = desk.trade(100.0)
    assert (len(of(OrderExpired, facts)), desk.lots) == (1, 0)
    assert desk.state.memory.venue.pending == []


def test_a_daemon_that_was_down_settles_when_time_passes() -> None:
    # given a position, and an expiry after the last row
    recorder = Recorder(BUILT_IN, market(3000, seed=1))
    recorder.play(0, 1500)
    held = recorder.state.ledger.lots(0)
    assert held
    last_ns = recorder.state.memory.core_ns
    assert last_ns - T0 < DAY_NS
    at_s = last_ns // S + 1
    text = f"2023-11-14T{at_s // 3600 % 24:02}:{at_s // 60 % 60:02}:{at_s % 60:02}Z"
    ends = replace(BUILT_IN, instruments=(replace(BUILT_IN.instruments[0], expires=text), BUILT_IN.instruments[1]))
    # when it starts again, with settings that say so
    recorder.warm(ends, epoch=2)
    recorder.play(1600, 3000)
    # then it is settled once
    reasons = [body.reason for body in recorder.bodies(OrderRequested) if isinstance(body, OrderRequested)]
    assert reasons.count("expiry") == 1
    assert recorder.state.ledger.lots(0) == 0
