"""What the other events do to the ledger, and what its digest view leaves out."""

from typing import Any

import msgspec
import pytest

from tradingd import events as e
from tradingd.instruments import Instrument
from tradingd.reducers.apply import REDUCERS, apply
from tradingd.reducers.digest import digest_view
from tradingd.reducers.ledger import Ledger

SIGNAL = e.Signal("sma", 1, ts_bar_close_ns=5, target=0.5, confidence=1.0, price=10.0)
DECISION = e.Decision(1, target=0.5, price=10.0, voters=("sma",), rule="weighted")


def run_started(journal_id: str, epoch: int) -> e.RunStarted:
    return e.RunStarted(
        journal_id=journal_id, epoch=epoch, config=msgspec.Raw(b"{}"), config_digest="", code_digest="", sources=("f",)
    )


def order(cl_ord_id: str, parent: str | None = None) -> e.OrderRequested:
    return e.OrderRequested(
        cl_ord_id=cl_ord_id, instrument=0, side=e.Side.BUY, quantity=0.5, ord_type=e.OrdType.MARKET,
        time_in_force=e.TimeInForce.GTC, parent=parent,
    )  # fmt: skip


def test_every_event_has_its_reducer() -> None:
    special = {e.OrderRequested, e.OrderFilled}
    assert set(REDUCERS) | special == set(e.BODY_TYPES.values())


def test_halts_stay_until_a_human_resumes(ledger: Ledger, instruments: tuple[Instrument, ...]) -> None:
    apply(ledger, instruments, e.Halted(rule="drawdown", text="first"), 0)
    apply(ledger, instruments, e.Halted(rule="drawdown", text="second"), 0)
    apply(ledger, instruments, run_started("j", 2), 0)
    assert ledger.halts["drawdown"].text == "first"
    apply(ledger, instruments, e.Resumed("uid=0"), 0)
    assert not ledger.halts


@pytest.mark.parametrize(
    ("body", "rule"), [(e.Anomaly("what", "detail"), "anomaly"), (e.CoreFailed("error", "trace"), "core_failed")]
)
def test_bugs_halt(ledger: Ledger, instruments: tuple[Instrument, ...], body: Any, rule: str) -> None:
    apply(ledger, instruments, body, 0)
    assert list(ledger.halts) == [rule]


def test_the_newest_signal_and_decision_count(ledger: Ledger, instruments: tuple[Instrument, ...]) -> None:
    for body in (SIGNAL, DECISION, msgspec.structs.replace(SIGNAL, target=-1.0)):
        apply(ledger, instruments, body, 0)
    assert ledger.signals["sma"][1].target == -1.0
    assert ledger.decisions == {1: DECISION}


def test_rows_of_a_source_are_counted(ledger: Ledger, instruments: tuple[Instrument, ...]) -> None:
    ledger.count_rows("f", 10)
    apply(ledger, instruments, e.InputRejected("f", "line 11", "no price", "x"), 0)
    ledger.count_rows("g", 1)
    assert ledger.cursors == {"f": 11, "g": 1}


def test_a_posting_that_does_not_add_up_is_an_anomaly(ledger: Ledger, instruments: tuple[Instrument, ...]) -> None:
    balance = ledger.accounts["USD"].balance
    good = e.AccountChanged(currency="USD", balance=balance + 5, change=5, reason="deposit")
    assert apply(ledger, instruments, good, 0) is None
    for bad in (good, msgspec.structs.replace(good, currency="EUR")):
        anomaly = apply(ledger, instruments, bad, 0)
        assert anomaly is not None and anomaly.what == "impossible posting"
    assert ledger.accounts["USD"].balance == balance + 5
    assert ledger.accounts["USD"].postings == {"deposit": 5}


def test_counters_and_limits(ledger: Ledger, instruments: tuple[Instrument, ...]) -> None:
    refusal = e.OrderRefused(
        instrument=0, side=e.Side.BUY, quantity=1.0, rule="halted", limit=None, value=None, text=""
    )
    bodies = (
        refusal, refusal, e.LateTick(0, 5), e.Gap("f", None, 3, ""), e.FeedStatus("f", e.FeedState.DONE),
        e.LimitChanged(rule="max_quantity", old=None, new=2.0, by="uid=0"), e.ClockAdvanced(),
    )  # fmt: skip
    for body in bodies:
        assert apply(ledger, instruments, body, 0) is None
    assert ledger.refusals == {"halted": 2}
    assert (ledger.late_ticks, ledger.gaps, ledger.feeds) == (1, 1, {"f": e.FeedState.DONE})
    assert ledger.limits == {"max_quantity": 2.0}


def tell(ledger: Ledger, instruments: tuple[Instrument, ...], prefix: str) -> Ledger:
    bodies = (
        SIGNAL, DECISION, order(f"{prefix}-1"), e.OrderAccepted(f"{prefix}-1"), order(f"{prefix}-2", f"{prefix}-1"),
        order(f"{prefix}-3"), e.OrderCanceled(f"{prefix}-3"),
        e.PositionChanged(instrument=0, lots=3, cost=30, realized=0),
    )  # fmt: skip
    for body in bodies:
        assert apply(ledger, instruments, body, 7) is None
    return ledger


def test_the_digest_view_does_not_know_who_ran(ledger: Ledger, instruments: tuple[Instrument, ...]) -> None:
    # given the same story told in an undisturbed run and in one that was killed and started again
    other = msgspec.convert(msgspec.to_builtins(ledger), Ledger)
    apply(ledger, instruments, run_started("aaa", 1), 0)
    tell(ledger, instruments, "aaa-1")
    apply(other, instruments, run_started("bbb", 1), 0)
    apply(other, instruments, run_started("bbb", 2), 0)
    apply(other, instruments, e.FeedStatus("f", e.FeedState.CONNECTED), 0)
    tell(other, instruments, "bbb-2")
    # then the views are equal, and name no order
    assert digest_view(ledger) == digest_view(other)
    text = msgspec.json.encode(digest_view(ledger)).decode()
    assert "aaa" not in text and "Canceled" in text


def test_the_digest_view_sees_every_change(ledger: Ledger, instruments: tuple[Instrument, ...]) -> None:
    tell(ledger, instruments, "x")
    before = digest_view(ledger)
    ledger.positions[0].cost += 1
    assert digest_view(ledger) != before


def test_the_ledger_survives_msgpack(ledger: Ledger, instruments: tuple[Instrument, ...]) -> None:
    tell(ledger, instruments, "x")
    apply(ledger, instruments, run_started("j", 1), 0)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(ledger), type=Ledger)
    assert again == ledger
    assert digest_view(again) == digest_view(ledger)
