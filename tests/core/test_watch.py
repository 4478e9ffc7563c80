"""What is held is watched at every price that moves it, whatever else it shares an account with."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from world import ALFA, S, started

from tradingd.columns import BAR_OPEN, TRADE, tick_batch
from tradingd.core import requests
from tradingd.core.advance import advance
from tradingd.core.settings import BarSettings, CoreSettings
from tradingd.core.state import initial_state
from tradingd.core.watch import watch
from tradingd.events import AnyBody, Halted, OrderRefused, OrderRequested
from tradingd.instruments import AccountSettings, Fees, Margin
from tradingd.reducers.ledger import Position
from tradingd.risk.settings import RiskSettings

START_NS = 1_700_000_040 * S


class Holding:
    """Long of two instruments, of which no price is known yet."""

    def __init__(self, *lots: int, other: str = "USD", **risk: Any) -> None:
        margin, off = Margin(initial_rate=0.1, maintenance_rate=0.1), {"daily_loss": None, "drawdown": None}
        first = replace(ALFA, fees=Fees(), margin=margin)
        settings = CoreSettings(
            instruments=(first, replace(first, id="SIM:BETA", currency=other)),
            accounts=tuple(AccountSettings(currency, "100000") for currency in dict.fromkeys(("USD", other))),
            risk=RiskSettings(**(off | {"market_hours": False} | risk)),
            bars=BarSettings(timeframes=("1m",)),
        )
        self.state = initial_state(settings, {})
        advance(self.state, [started(settings)])
        for index, held in enumerate(lots):
            self.state.ledger.positions[index] = Position(lots=held, cost=held * 100_000_000)
            self.state.memory.venue.lots[index] = held
        watch(self.state)

    def tell(self, after_s: int, instrument: int, price: float, kind: int = TRADE) -> list[AnyBody]:
        times = np.array([START_NS + after_s * S])
        row = tick_batch(0, kind=kind, instrument=instrument, ts_event_ns=times, price=[price], size=[100.0])
        return [event.body for event in advance(self.state, [row]).events if event.n]


def of(kind: type[Any], bodies: list[AnyBody]) -> list[Any]:
    return [body for body in bodies if isinstance(body, kind)]


def test_a_position_is_watched_from_its_first_price_on() -> None:
    desk = Holding(900, daily_loss=0.05)
    desk.tell(1, 0, 100.0)
    (halted,) = of(Halted, desk.tell(2, 0, 94.0))
    assert halted.text == "daily loss of 5.40% in USD has reached 5.00%"


def test_the_open_of_a_bar_counts_for_the_ticks_of_others() -> None:
    # given a position whose bar opens far below, of a day that is long
    desk = Holding(500, 500, daily_loss=0.05)
    desk.tell(1, 0, 100.0)
    desk.tell(2, 1, 100.0, BAR_OPEN)
    desk.tell(3, 0, 101.0)
    desk.tell(60, 1, 89.0, BAR_OPEN)
    # when another instrument's price says that it is time to look
    (halted,) = of(Halted, desk.tell(61, 0, 100.0))
    assert halted.text == "daily loss of 5.50% in USD has reached 5.00%"


@pytest.mark.parametrize(("other", "closes"), [("EUR", 1), ("USD", 0)])
def test_what_is_held_through_a_bar_keeps_its_own_account_alone_waiting(other: str, closes: int) -> None:
    desk = Holding(5000, 10, other=other)
    desk.tell(1, 1, 100.0, BAR_OPEN)
    desk.tell(2, 0, 100.0)
    assert len(of(OrderRequested, desk.tell(3, 0, 80.0))) == closes


def test_a_liquidation_that_was_refused_is_asked_for_again_by_time_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Holding(5000)
    desk.tell(1, 0, 100.0)
    # given a gate that refuses it once
    with monkeypatch.context() as patched:
        patched.setattr(requests, "review", refuse)
        assert len(of(OrderRefused, desk.tell(2, 0, 80.0))) == 1
    # when time goes on, and the price stands still
    asked = of(OrderRequested, desk.tell(4, 0, 80.0))
    assert [order.reason for order in asked] == ["liquidation"]


def refuse(order: OrderRequested, _context: object) -> OrderRefused:
    return OrderRefused(
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        rule="order_rate",
        limit=1.0,
        value=2.0,
        text="too many",
        reason=order.reason,
    )
