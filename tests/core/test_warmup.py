"""A run of other settings on the same journal: what losses are counted from and what the venue holds go on."""

import msgspec
import numpy as np
import pytest
from recorder import BUILT_IN, CHANGED, Recorder
from world import T0, S, market

from tradingd.columns import TICK_COLUMNS, TRADE, TickBatch, tick_batch
from tradingd.core.watch import note_peaks
from tradingd.events import Command, Event, Halted, OrderFilled, OrdType
from tradingd.instruments import DAY_NS
from tradingd.risk.context import Watermark
from tradingd.risk.settings import RiskSettings

MIDNIGHT_NS = T0 // DAY_NS * DAY_NS + DAY_NS


def marks_of(recorder: Recorder) -> Watermark:
    note_peaks(recorder.state)
    return msgspec.structs.replace(recorder.state.memory.risk.watermarks["USD"])


def over_midnight(ticks: TickBatch) -> TickBatch:
    """The same an hour or two later, so that midnight UTC is in its middle."""
    shift_ns = MIDNIGHT_NS - int(ticks.ts_received_ns[len(ticks) // 2])
    columns = {name: getattr(ticks, name) for name in TICK_COLUMNS}
    columns |= {name: columns[name] + shift_ns for name in ("ts_event_ns", "ts_received_ns")}
    return tick_batch(ticks.source, **columns)


def halts_of(recorder: Recorder) -> list[tuple[int, str]]:
    events: list[Event] = [event for commit in recorder.commits for event in commit.events]
    return [(event.ts_received_ns, event.body.rule) for event in events if isinstance(event.body, Halted)]


@pytest.mark.parametrize("seed", [1, 2, 3, 5, 7])
def test_losses_count_on_from_where_they_were_counted(seed: int) -> None:
    # given a run that has had a peak
    recorder = Recorder(BUILT_IN, market(4000, seed))
    recorder.play(0, 3000)
    before = marks_of(recorder)
    assert before.peak > before.day_start
    # when it goes on with other settings
    recorder.warm(CHANGED, epoch=2)
    # then that peak is to be reached again
    assert marks_of(recorder) == before


def test_the_day_goes_on_that_had_begun_before_the_start() -> None:
    # given a day that began with another equity than the journal, and with positions
    recorder = Recorder(BUILT_IN, over_midnight(market(4000, seed=1)))
    recorder.play(0, 3000)
    before = marks_of(recorder)
    assert before.day_ns == MIDNIGHT_NS
    assert before.day_start not in (1_000_000_000_000, recorder.state.risk_context().equity("USD"))
    recorder.warm(CHANGED, epoch=2)
    assert marks_of(recorder) == before


@pytest.mark.parametrize(
    ("ticks", "row"),
    [(market(4000, seed=1), 2000), (over_midnight(market(4000, seed=4)), 1500)],
    ids=["after a profit", "after a loss, before midnight"],
)
def test_losses_that_a_human_has_accepted_stay_accepted(ticks: TickBatch, row: int) -> None:
    # given a resume at an equity below the peak
    recorder = Recorder(BUILT_IN, ticks)
    recorder.play(0, row)
    old = marks_of(recorder)
    recorder.say(Command.RESUME)
    accepted = marks_of(recorder)
    assert accepted.day_start == accepted.peak < old.peak
    recorder.play(row, row + 1000)
    before = marks_of(recorder)
    # when the command is among the inputs that a start is warmed up with
    recorder.warm(CHANGED, epoch=2)
    # then losses count from what was held then, not from what the warm-up thinks
    assert marks_of(recorder) == before


def test_a_third_run_counts_on_too() -> None:
    recorder = Recorder(BUILT_IN, market(4000, seed=1))
    recorder.play(0, 1500)
    recorder.warm(CHANGED, epoch=2)
    recorder.play(1500, 2500)
    before = marks_of(recorder)
    recorder.warm(BUILT_IN, epoch=3)
    assert marks_of(recorder) == before


@pytest.mark.parametrize(
    "risk",
    [RiskSettings(order_rate=50, daily_loss=0.001, drawdown=None), RiskSettings(order_rate=50, drawdown=0.002)],
    ids=["daily_loss", "drawdown"],
)
def test_a_loss_halts_where_it_would_have_without_the_start(risk: RiskSettings) -> None:
    # given a run that loses enough to halt
    settings = msgspec.structs.replace(BUILT_IN, risk=risk)
    whole = Recorder(settings, market(4000, seed=3))
    whole.play(0, 4000)
    ((halted_ns, _),) = halts_of(whole)
    # when it is started again just before it has lost enough
    row = int(np.searchsorted(whole.ticks.ts_received_ns, halted_ns)) - 5
    warmed = Recorder(settings, whole.ticks)
    warmed.play(0, row)
    assert halts_of(warmed) == []
    warmed.warm(msgspec.structs.replace(settings, bars=CHANGED.bars), epoch=2)
    warmed.play(row, 4000)
    # then it halts at the same row
    assert halts_of(warmed) == halts_of(whole)


def trade(recorder: Recorder, price: float, size: float) -> TickBatch:
    times = np.array([recorder.state.memory.core_ns + S // 100])
    return tick_batch(0, kind=TRADE, instrument=0, ts_event_ns=times, price=[price], size=[size])


def test_a_stop_that_was_triggered_stays_triggered() -> None:
    # given a stop at which too little was traded to fill any of it
    recorder = Recorder(BUILT_IN)
    recorder.play(0, 2200)
    (stop,) = (order for order in recorder.state.memory.venue.working.values() if order.sleeps and not order.instrument)
    assert stop.stop_px is not None
    recorder.take(trade(recorder, stop.stop_px, 0.5))
    assert recorder.state.memory.venue.working[stop.cl_ord_id].triggered
    # when the next run begins, and the price comes back
    recorder.warm(CHANGED, epoch=2)
    commit = recorder.take(trade(recorder, stop.stop_px - stop.sign * 0.05, 10_000.0))
    # then it is a market order still
    filled = [event.body for event in commit.events if isinstance(event.body, OrderFilled)]
    assert [fill.cl_ord_id for fill in filled] == [stop.cl_ord_id]


def test_a_stop_that_sleeps_sleeps_on() -> None:
    recorder = Recorder(BUILT_IN)
    recorder.play(0, 2200)
    asleep = [order.cl_ord_id for order in recorder.state.memory.venue.working.values() if order.sleeps]
    assert asleep
    recorder.warm(CHANGED, epoch=2)
    working = recorder.state.memory.venue.working.values()
    assert [order.cl_ord_id for order in working if order.ord_type is OrdType.STOP and order.sleeps] == asleep
