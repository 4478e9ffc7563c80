"""A small world to review orders in: two dollar instruments and one in euros, all priced, nothing owned."""

from collections.abc import Callable
from typing import Any

import pytest

from tradingd.events import OrderRequested, OrdType, Side, TimeInForce
from tradingd.instruments import NS, AccountSettings, AssetClass, Instrument, Margin
from tradingd.kernels.market import Market
from tradingd.reducers.ledger import Position, open_ledger
from tradingd.risk.context import RiskContext, RiskState
from tradingd.risk.settings import RiskSettings

NOW_NS = 1_700_000_000 * NS
UNITS = 1_000_000

INSTRUMENTS = (
    Instrument("SIM:A", AssetClass.SPOT, tick_size=0.01, lot_size=0.01, currency="USD"),
    Instrument(
        "SIM:B", AssetClass.FUTURE, tick_size=0.25, lot_size=1.0, currency="USD", multiplier=50.0,
        margin=Margin(initial_rate=0.1, maintenance_rate=0.05),
    ),
    Instrument("SIM:C", AssetClass.SPOT, tick_size=0.01, lot_size=1.0, currency="EUR"),
)  # fmt: skip
MARKS = (100.0, 20.0, 50.0)


@pytest.fixture
def context() -> Callable[..., RiskContext]:
    """context(position={0: 10}, marks=..., **settings): 10,000 USD, 1,000 EUR, and lots bought at the marks."""

    def build(position: dict[int, int] | None = None, marks: tuple[float, ...] = MARKS, **settings: Any) -> RiskContext:
        ledger = open_ledger([AccountSettings("USD", "10000"), AccountSettings("EUR", "1000")])
        market = Market.empty(len(INSTRUMENTS))
        market.last[:] = marks
        market.ts_received_ns[:] = NOW_NS
        made = RiskContext(NOW_NS, INSTRUMENTS, ledger, RiskSettings(**settings), market, RiskState())
        for index, lots in (position or {}).items():
            ledger.positions[index] = Position(lots, made.units(index, lots, MARKS[index]))
        return made

    return build


@pytest.fixture
def order() -> Callable[..., OrderRequested]:
    """order(side, quantity, **fields): a market order of instrument 0."""

    def build(side: Side = Side.BUY, quantity: float = 1.0, **fields: Any) -> OrderRequested:
        defaults: dict[str, Any] = {
            "cl_ord_id": "x", "instrument": 0, "ord_type": OrdType.MARKET, "time_in_force": TimeInForce.GTC,
        }  # fmt: skip
        return OrderRequested(side=side, quantity=quantity, **(defaults | fields))

    return build
