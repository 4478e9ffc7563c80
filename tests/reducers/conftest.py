"""A small world: two instruments, one account."""

import pytest

from tradingd.instruments import AccountSettings, AssetClass, Fees, Instrument
from tradingd.reducers.ledger import Ledger, open_ledger


@pytest.fixture
def instruments() -> tuple[Instrument, ...]:
    fees = Fees(maker_rate=0.0002, taker_rate=0.0005)
    return (
        Instrument("SIM:A", AssetClass.SPOT, tick_size=0.01, lot_size=0.001, currency="USD", fees=fees),
        Instrument(
            "SIM:B", AssetClass.FUTURE, tick_size=0.25, lot_size=1.0, currency="USD", multiplier=50.0, fees=fees
        ),
    )


@pytest.fixture
def ledger() -> Ledger:
    return open_ledger([AccountSettings("USD", "100000", "0.0001")])
