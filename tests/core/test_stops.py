"""What stops new exposure by itself: losses at a fill, things that can not happen; and what is told again."""

from desk import Desk, of
from msgspec.structs import replace
from recorder import BUILT_IN, CHANGED, Recorder

from tradingd.events import Anomaly, CancelRequested, Halted, OrderCanceled, OrdType, Signal
from tradingd.strategies.contract import Target


def test_a_loss_that_only_a_fill_shows_halts_at_the_fill() -> None:
    # given a position whose mark has never been below its cost, and an order that closes it
    desk = Desk(Target(0.5), None, Target(0.0), daily_loss=0.01)
    desk.trades(100.0, 100.0, 100.0)
    desk.trade(100.0)
    assert desk.lots == 500
    # when the venue fills it far below the last trade, and no account estimate sees that price
    desk.state.memory.instruments["exposure"] = 0.0
    facts = desk.trade(97.0)
    # then the loss halts at once, at that fill
    assert desk.lots == 0
    assert [halted.rule for halted in of(Halted, facts)] == ["daily_loss"]


def test_an_anomaly_takes_back_what_could_add_exposure_and_leaves_what_protects() -> None:
    # given a position with its stop, and an entry that was filled in part
    desk = Desk(Target(0.5, stop=90.0))
    desk.trades(100.0, 100.0)
    desk.trade(100.0, 200.0)
    desk.trade(100.0, 0.5, after_s=0.01)
    entry, stop = desk.state.ledger.orders.values()
    assert (entry.leaves_lots, stop.request.ord_type) == (300, OrdType.STOP)
    # when the venue reports a fill of an order that nobody requested
    works = desk.state.memory.venue.working
    ghost = replace(works[entry.request.cl_ord_id], cl_ord_id="ghost", lots=1, total_lots=1)
    desk.state.memory.venue.working = {"ghost": ghost, **works}
    facts = desk.trade(100.0, 1.0)
    assert [anomaly.what for anomaly in of(Anomaly, facts)] == ["unknown order"]
    # then the rest of the entry is taken back, and the stop is not
    assert of(CancelRequested, facts) == [CancelRequested(entry.request.cl_ord_id, "anomaly")]
    cancelled = of(OrderCanceled, desk.trade(100.0, 0.5))
    assert [order.cl_ord_id for order in cancelled] == [entry.request.cl_ord_id]
    assert list(desk.state.ledger.orders) == [stop.request.cl_ord_id]
    # and nothing is opened any more
    assert "anomaly" in desk.state.ledger.halts


def test_a_warm_start_tells_every_wish_again_also_that_of_nothing() -> None:
    # given strategies that have told what they want, one of them nothing
    cross, flip = BUILT_IN.strategies
    long_only = replace(BUILT_IN, strategies=(replace(cross, params=cross.params | {"long_only": True}), flip))
    recorder = Recorder(long_only)
    recorder.play(0, 1900)
    wanted = recorder.state.memory.wishes["final"]["target"].tolist()
    assert 0.0 in wanted
    # when a run with other settings sees the first bars close
    recorder.warm(replace(long_only, bars=CHANGED.bars), epoch=2)
    before = len(recorder.commits)
    recorder.play(1900, 1920)
    signals = [e.body for c in recorder.commits[before:] for e in c.events if isinstance(e.body, Signal)]
    # then each of them has spoken, whether or not it wants something else now
    known = [(slot.strategy, slot.instrument) for slot in recorder.state.memory.table]
    first = {(s.strategy, s.instrument): s.target for s in reversed(signals)}
    assert first == dict(zip(known, wanted, strict=True))
