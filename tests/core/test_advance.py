"""The core: what a batch of inputs gives, and that where it is cut changes nothing."""

import dataclasses
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from world import SETTINGS, T0, Played, S, library_of, market

from tradingd.columns import FRAME, TICK_COLUMNS, TRADE, TickBatch, tick_batch
from tradingd.core.advance import advance
from tradingd.core.snapshot import decode_snapshot, encode_snapshot, restore_snapshot, state_digest
from tradingd.events import (
    Anomaly,
    ClockAdvanced,
    Command,
    Decision,
    Halted,
    Input,
    LateTick,
    OperatorCommand,
    OrderFilled,
    OrderRefused,
    OrderRequested,
    PositionChanged,
    Signal,
    SnapshotTaken,
    decode_body,
    encode_body,
)
from tradingd.instruments import DAY_NS, AccountSettings, Margin
from tradingd.risk.settings import RiskSettings


def cut(batch: TickBatch, at: list[int]) -> list[list[TickBatch]]:
    borders = [0, *sorted(at), len(batch)]
    return [[batch.slice(start, stop)] for start, stop in pairwise(borders)]


def command(what: Command, ts_ns: int) -> Input:
    return Input(ts_ns, ts_ns, "operator", OperatorCommand(what, "uid=0(test) pid=1", "a test"))


@pytest.fixture(scope="module")
def whole() -> Played:
    return Played(SETTINGS, [[market(4000, seed=1)]])


def test_a_market_makes_bars_signals_orders_and_fills(whole: Played) -> None:
    counts = Counter(type(event.body) for event in whole.events)
    assert min(counts[kind] for kind in (Signal, Decision, OrderRequested, OrderFilled, LateTick)) > 10
    assert len(whole.bars) > 500
    assert counts[Anomaly] == 0


def test_positions_are_unique_and_in_order(whole: Played) -> None:
    events = [(event.seq, event.n) for event in whole.events]
    bars = [(bar[0], bar[1]) for bar in whole.bars]
    assert events == sorted(events)
    assert bars == sorted(bars)
    assert len({*events, *bars}) == len(events) + len(bars)
    assert all(n >= 1 for _, n in bars)


@settings(max_examples=15, deadline=None)
@given(at=st.lists(st.integers(0, 4000), max_size=12))
def test_any_split_into_batches_gives_the_same_events(whole: Played, at: list[int]) -> None:
    split = Played(SETTINGS, cut(market(4000, seed=1), at))
    assert split.events[1:] == whole.events[1:]
    assert repr(split.bars) == repr(whole.bars)
    assert state_digest(split.state) == state_digest(whole.state)


def test_one_row_at_a_time_gives_the_same_events(whole: Played) -> None:
    split = Played(SETTINGS, cut(market(4000, seed=1), list(range(1, 4000))))
    assert split.events[1:] == whole.events[1:]


@settings(max_examples=15, deadline=None)
@given(at=st.integers(1, 3999))
def test_a_restored_snapshot_goes_on_as_if_nothing_had_happened(whole: Played, at: int) -> None:
    batch = market(4000, seed=1)
    before = Played(SETTINGS, [[batch.slice(0, at)]])
    payload = encode_snapshot(before.state, ("settings", "code"))
    state = restore_snapshot(decode_snapshot(payload), SETTINGS, library_of(SETTINGS))
    assert state_digest(state) == state_digest(before.state)
    advance(state, [batch.slice(at, len(batch))])
    assert state_digest(state) == state_digest(whole.state)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_money_is_conserved_to_the_last_unit(seed: int) -> None:
    played = Played(SETTINGS, [[market(2000, seed)]])
    ledger = played.state.ledger
    account = ledger.accounts["USD"]
    fills = played.bodies(OrderFilled)
    realized = sum(position.realized for position in ledger.positions.values())
    assert account.balance == account.opening + realized - sum(fill.fee for fill in fills)
    for index, instrument in enumerate(SETTINGS.instruments):
        paid = sum(
            round(f.last_px * f.last_qty * instrument.multiplier * 1_000_000) * f.side.sign
            for f in fills
            if f.instrument == index
        )
        position = ledger.positions.get(index)
        assert (position.cost if position else 0) == paid + (position.realized if position else 0)


def test_orders_fill_only_after_their_latency(whole: Played) -> None:
    asked = {e.body.cl_ord_id: e for e in whole.events if isinstance(e.body, OrderRequested)}
    fills = [e for e in whole.events if isinstance(e.body, OrderFilled)]
    for fill in fills:
        request = asked[fill.body.cl_ord_id]
        held_by_venue = request.body.parent is not None and request.body.reason in ("stop_loss", "take_profit")
        latency_ns = 1 if held_by_venue else 20_000_000
        assert fill.seq > request.seq
        assert fill.ts_received_ns >= request.ts_received_ns + latency_ns


def test_an_order_id_says_where_it_was_requested(whole: Played) -> None:
    for event in whole.events:
        if isinstance(event.body, OrderRequested):
            assert event.body.cl_ord_id == f"TESTTEST-1-{event.seq}-{event.n}"


def test_time_alone_closes_bars_after_the_grace() -> None:
    tick = tick_batch(0, kind=TRADE, instrument=0, ts_event_ns=np.array([T0]), price=[100.0], size=[5.0])
    close = T0 // S * S + S
    early, due = (Input(ts, ts, "clock", ClockAdvanced()) for ts in (close + S // 2 - 1, close + S // 2))
    assert Played(SETTINGS, [[tick], [early]]).bars == []
    bars = Played(SETTINGS, [[tick], [early], [due]]).bars
    assert [(bar[0], bar[3], bar[10], bar[12]) for bar in bars] == [(4, close, 1, 0)]


def test_what_is_stamped_with_core_time_as_it_stands_closes_no_bar() -> None:
    """Or a restart, and each snapshot, would be what a decision hangs on."""
    # given a tick so late that its bar is overdue from the start
    now = T0 + 60 * S
    late = tick_batch(0, kind=TRADE, instrument=0, ts_event_ns=[T0], ts_received_ns=[now], price=[100.0], size=[5.0])
    told = Input(now, now, "daemon", SnapshotTaken(1, "1.snap", ""))
    # when the shell says something at the same core time
    played = Played(SETTINGS, [[late], [told], [told]])
    assert played.bars == []
    assert [(event.seq, event.n) for event in played.events[-2:]] == [(3, 0), (4, 0)]
    # then the next row closes it
    frame = tick_batch(0, kind=FRAME, instrument=0, ts_event_ns=[now], frames=(b"",))
    assert [(bar[0], bar[1]) for bar in Played(SETTINGS, [[late], [told], [told], [frame]]).bars] == [(5, 1), (5, 2)]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_day_begins_at_the_first_row_after_midnight_whatever_else_happens_there(seed: int) -> None:
    batch = market(300, seed)
    closing = [bar[0] - 2 for bar in Played(SETTINGS, [[batch]]).bars if bar[1] == 1]
    for row in closing[::7]:
        shift_ns = DAY_NS - int(batch.ts_received_ns[row]) % DAY_NS
        shifted = dataclasses.replace(
            batch, ts_event_ns=batch.ts_event_ns + shift_ns, ts_received_ns=batch.ts_received_ns + shift_ns
        )
        state = Played(SETTINGS, [[shifted.slice(0, row + 1)]]).state
        assert state.memory.risk.watermarks["USD"].day_ns == int(shifted.ts_received_ns[row])


def test_the_digest_knows_the_order_of_arrival_and_not_how_ids_sort() -> None:
    """As text 101 comes before 92: what one more input in front moves over such a border is the same state."""
    batch, told = market(400, seed=3), Input(T0, T0, "daemon", SnapshotTaken(1, "1.snap", ""))
    alone = Played(SETTINGS, [[batch]])
    moved = Played(SETTINGS, [[told] * 9600, [batch]])
    assert len(alone.state.memory.venue.working) > 1
    assert state_digest(moved.state) == state_digest(alone.state)
    # and who arrives first is filled first
    before = state_digest(alone.state)
    venue = alone.state.memory.venue
    venue.working = dict(reversed(venue.working.items()))
    assert state_digest(alone.state) != before


def test_a_late_tick_is_a_fact_and_changes_no_bar() -> None:
    times = np.array([T0, T0 + 2 * S, T0])
    ticks = tick_batch(
        0,
        kind=TRADE,
        instrument=0,
        ts_event_ns=times,
        ts_received_ns=np.maximum.accumulate(times),
        price=[100.0, 101.0, 1.0],
        size=[1.0] * 3,
    )
    played = Played(SETTINGS, [[ticks]])
    assert played.bodies(LateTick) == [LateTick(0, T0 // S * S + S)]
    assert [bar[4:8] for bar in played.bars] == [(100.0, 100.0, 100.0, 100.0)]


def test_frames_let_time_pass_and_nothing_else() -> None:
    batch = market(1000, seed=3)
    frame = tick_batch(0, kind=FRAME, instrument=0, ts_event_ns=batch.ts_received_ns[499:500], frames=(b"{}",))
    plain = Played(SETTINGS, [[batch]])
    framed = Played(SETTINGS, [[batch.slice(0, 500)], [frame], [batch.slice(500, 1000)]])
    assert [e.body for e in framed.events if isinstance(e.body, Signal)] == plain.bodies(Signal)


def test_halt_refuses_new_exposure_until_a_human_resumes() -> None:
    batch = market(6000, seed=5)
    middle, later = (int(batch.ts_received_ns[row]) for row in (1999, 3999))
    items = [
        [batch.slice(0, 2000), command(Command.HALT, middle)],
        [batch.slice(2000, 4000), command(Command.RESUME, later)],
        [batch.slice(4000, 6000)],
    ]
    played = Played(replace(SETTINGS, risk=RiskSettings(order_rate=50)), items)
    halted = [e for e in played.commits[2].events if isinstance(e.body, OrderRequested)]
    assert all(e.body.reduce_only or e.body.reason == "decision" for e in halted)
    assert {e.body.rule for e in played.commits[2].events if isinstance(e.body, OrderRefused)} == {"halted"}
    assert [e for e in played.commits[3].events if isinstance(e.body, OrderFilled)]
    assert played.state.ledger.halts == {}


def test_flatten_closes_every_position_and_halts() -> None:
    batch = market(3000, seed=5)
    at = int(batch.ts_received_ns[1999])
    played = Played(SETTINGS, [[batch.slice(0, 2000), command(Command.FLATTEN, at)], [batch.slice(2000, 3000)]])
    before = Played(SETTINGS, [[batch.slice(0, 2000)]])
    assert any(position.lots for position in before.state.ledger.positions.values())
    assert all(position.lots == 0 for position in played.state.ledger.positions.values())
    assert "flatten" in played.state.ledger.halts


def test_a_loss_beyond_the_limit_halts() -> None:
    tight = replace(SETTINGS, risk=RiskSettings(order_rate=50, daily_loss=0.0005, drawdown=None))
    played = Played(tight, [[market(4000, seed=1)]])
    assert [body.rule for body in played.bodies(Halted)] == ["daily_loss"]
    after = played.events[[type(e.body) for e in played.events].index(Halted) :]
    assert not [e for e in after if isinstance(e.body, OrderRequested) and not e.body.reduce_only and e.body.stop_loss]


def test_equity_below_maintenance_is_liquidated() -> None:
    thin = replace(
        SETTINGS,
        instruments=(
            replace(SETTINGS.instruments[0], margin=Margin(initial_rate=0.01, maintenance_rate=0.5)),
            SETTINGS.instruments[1],
        ),
        accounts=(AccountSettings("USD", "20000"),),
        risk=RiskSettings(
            order_rate=50,
            drawdown=None,
            daily_loss=None,
            risk_per_trade=0.2,
            max_leverage=20.0,
            gross_limit=50.0,
            net_limit=50.0,
        ),
    )
    played = Played(thin, [[market(1500, seed=1)]])
    assert any(body.reason == "liquidation" for body in played.bodies(OrderRequested))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_what_reduces_never_turns_a_position(seed: int) -> None:
    """An exit and a stop may race; whichever comes second finds nothing left to reduce."""
    played = Played(SETTINGS, [[market(2000, seed)]])
    lots = {0: 0, 1: 0}
    asked: dict[str, OrderRequested] = {}
    for event in played.events:
        body = event.body
        if isinstance(body, OrderRequested):
            asked[body.cl_ord_id] = body
            assert body.reduce_only or lots[body.instrument] * body.side.sign >= 0
        elif isinstance(body, PositionChanged):
            lots[body.instrument] = body.lots
        elif isinstance(body, OrderFilled) and asked[body.cl_ord_id].reduce_only:
            assert lots[body.instrument] * body.side.sign < 0
            assert body.last_qty <= abs(lots[body.instrument]) * SETTINGS.instruments[body.instrument].lot_size


def test_an_unlawful_wish_can_be_read_back() -> None:
    """A confidence that is no number is an anomaly, takes back what works, and never reaches the journal."""
    played = Played(SETTINGS, [[market(300, seed=1)]])
    wishes = played.state.memory.wishes
    wishes["own"]["confidence"] = np.nan
    commit = advance(played.state, [market_after(played, 300)])
    assert any(isinstance(e.body, Anomaly) for e in commit.events)
    assert all(decode_body(encode_body(e.body)) == e.body for e in commit.events)


def market_after(played: Played, rows: int) -> TickBatch:
    """More of the same market, after what was played."""
    batch = market(rows, seed=2)
    shift = played.state.memory.core_ns - T0 + S
    return replace_times(batch, shift)


def replace_times(batch: TickBatch, shift_ns: int) -> TickBatch:
    columns = {name: getattr(batch, name) for name in TICK_COLUMNS}
    columns["ts_event_ns"] = batch.ts_event_ns + shift_ns
    columns["ts_received_ns"] = batch.ts_received_ns + shift_ns
    return tick_batch(batch.source, **columns)
