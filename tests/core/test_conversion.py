"""Currencies that count in the account of another: sizes, margin and limits look at all of it."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st
from msgspec.structs import replace
from world import ALFA, EURUSD, SETTINGS, T0, Played, S, library_of, market

from tradingd.columns import NO_VENUE_ID, TRADE, TickBatch, tick_batch
from tradingd.core.advance import advance
from tradingd.core.settings import BarSettings, CoreSettings
from tradingd.core.snapshot import decode_snapshot, encode_snapshot, restore_snapshot, state_digest
from tradingd.events import AccountChanged, Halted, OrderFilled, OrderRefused, OrderRequested
from tradingd.instruments import AccountSettings, AssetClass, Conversion, Instrument, Margin
from tradingd.risk.settings import RiskSettings
from tradingd.simulation.settings import SimulationSettings
from tradingd.strategies.settings import StrategySettings

STOCK = Instrument("T:STOCK", AssetClass.EQUITY, tick_size=1.0, lot_size=1.0, currency="JPY", margin=Margin(0.5, 0.25))
RATE = Instrument("FX:USDJPY", AssetClass.FX, tick_size=0.01, lot_size=1000.0, currency="JPY")
DOLLARS = AccountSettings("USD", "100000", "0.01")
YEN = AccountSettings("JPY", "0", "1", Conversion("USD", RATE.id, inverse=True))
ALONE = AccountSettings("JPY", "10000000", "1")


def settings(*accounts: AccountSettings, **risk: Any) -> CoreSettings:
    """Heads once, and then for good."""
    flip = StrategySettings("flip", "coin_flip", (STOCK.id,), "1s", {"seed": 3, "hold_bars": 1000, "long_only": True})
    off: dict[str, Any] = {"daily_loss": None, "drawdown": None, "stale_data_ms": None, "price_collar": None}
    return CoreSettings(
        instruments=(STOCK, RATE),
        accounts=accounts,
        strategies=(flip,),
        risk=RiskSettings(**(off | {"max_leverage": 2.0, "gross_limit": None, "concentration_limit": None} | risk)),
        simulation=SimulationSettings(latency_ms=0.0, cancel_latency_ms=0.0),
        bars=BarSettings(timeframes=("1s",), grace_ms=100),
    )


def prints(*rows: tuple[int, float]) -> TickBatch:
    """(instrument, price), one each half second."""
    times = T0 + np.arange(1, len(rows) + 1) * S // 2
    return tick_batch(
        0,
        kind=np.full(len(rows), TRADE),
        instrument=np.array([index for index, _ in rows], np.uint16),
        ts_event_ns=times,
        ts_received_ns=times,
        price=np.array([price for _, price in rows]),
        size=np.full(len(rows), 1e9),
        venue_id=NO_VENUE_ID,
    )


def bought(rate: float) -> list[tuple[int, float]]:
    """Yen to the dollar, and prints of the stock until it is bought."""
    return [(1, rate), *[(0, 2000.0)] * 8]


def fills(played: Played) -> list[tuple[int, str, float, float]]:
    return [(f.instrument, f.side.value, f.last_qty, f.last_px) for f in played.bodies(OrderFilled)]


def test_sizes_are_of_the_whole_account() -> None:
    # given 100,000 dollars at 100 yen each, what 10,000,000 yen would buy is bought
    in_dollars = Played(settings(DOLLARS, YEN), [[prints(*bought(100.0))]])
    in_yen = Played(settings(ALONE), [[prints(*bought(100.0))]])
    assert fills(in_dollars) == fills(in_yen) == [(0, "Buy", 5000.0, 2000.0)]
    # at 200 yen each it is twice as much
    assert fills(Played(settings(DOLLARS, YEN), [[prints(*bought(200.0))]])) == [(0, "Buy", 10_000.0, 2000.0)]


def test_money_stays_in_its_currency_and_equity_is_all_of_it() -> None:
    played = Played(settings(DOLLARS, YEN), [[prints(*bought(100.0), (0, 2100.0), (1, 125.0))]])
    context = played.state.risk_context()
    # 5,000 shares are 500,000 yen ahead, which are 4,000 dollars
    assert context.accounts == ["USD"]
    assert context.equity("JPY") == 500_000
    assert context.equity("USD") == 10_000_000 + 400_000
    # a quarter of 10,500,000 yen at 125, in cents
    assert context.maintenance("USD") == 2_100_000
    assert played.bodies(AccountChanged) == []
    assert played.state.ledger.accounts["USD"].balance == 10_000_000


def test_an_order_without_a_rate_is_refused() -> None:
    played = Played(settings(DOLLARS, YEN), [[prints(*bought(100.0)[1:])]])
    refused = [body for body in played.bodies(OrderRefused) if isinstance(body, OrderRefused)]
    assert [r.rule for r in refused] == ["conversion"]
    assert refused[0].text == "no price is known yet by which JPY counts in USD"


def test_the_rate_alone_liquidates() -> None:
    # given twice the equity in yen, of which a dollar is worth less and less, while nobody trades the stock
    leveraged = settings(DOLLARS, YEN)
    leveraged = replace(leveraged, strategies=(replace(leveraged.strategies[0], allocation=1.0),))
    falling = [(1, rate) for rate in (90.0, 50.0, 26.0, 25.0, 24.9)]
    played = Played(leveraged, [[prints(*bought(100.0), *falling)]])
    # then a quarter of 10,000,000 yen is more than 100,000 dollars where a dollar is less than 25 yen
    asked = [(e.ts_event_ns, e.body) for e in played.events if isinstance(e.body, OrderRequested)]
    assert [(body.side.value, body.reason) for _, body in asked] == [("Buy", "decision"), ("Sell", "liquidation")]
    assert asked[1][0] == T0 + 14 * S // 2


def test_a_loss_by_the_rate_halts() -> None:
    # given 500,000 yen of profit that are worth 10,000 dollars at first
    rows = [*bought(100.0), (0, 2100.0), (1, 50.0), (1, 200.0)]
    played = Played(settings(DOLLARS, YEN, drawdown=0.05), [[prints(*rows)]])
    halts = [body for body in played.bodies(Halted) if isinstance(body, Halted)]
    assert [(h.rule, h.text) for h in halts] == [("drawdown", "drawdown of 6.82% in USD has reached 5.00%")]


def test_bars_are_worst_where_the_currency_is() -> None:
    # given a price of yen and one of dollars, which convert the same profit
    priced = replace(RATE, id="FX:JPYUSD", tick_size=0.0001)
    direct = AccountSettings("JPY", "0", "1", Conversion("USD", priced.id))
    rows = [*bought(100.0), (0, 2100.0)]
    for account, instrument, rate, sign in ((YEN, RATE, 100.0, -1.0), (direct, priced, 0.01, 1.0)):
        made = replace(settings(DOLLARS, account), instruments=(STOCK, instrument))
        played = Played(made, [[prints((1, rate), *rows[1:], (1, rate))]])
        # then what one more of the price brings has its sign: a profit in yen is worth less where a dollar costs more
        assert np.sign(played.state.memory.instruments["exposure"][1]) == sign


MIXED = replace(
    SETTINGS,
    instruments=(replace(ALFA, currency="EUR"), EURUSD),
    accounts=(*SETTINGS.accounts, AccountSettings("EUR", "5000", "0.01", Conversion("USD", EURUSD.id))),
)


@settings_of(max_examples=10, deadline=None)
@given(at=st.integers(1, 3999))
def test_any_split_and_any_snapshot_give_the_same(at: int) -> None:
    batch = market(4000, seed=1)
    whole = Played(MIXED, [[batch]])
    split = Played(MIXED, [[batch.slice(0, at)]])
    state = restore_snapshot(
        decode_snapshot(encode_snapshot(split.state, ("settings", "code"))), MIXED, library_of(MIXED)
    )
    rest = advance(state, [batch.slice(at, len(batch))])
    events = [*split.events, *rest.events]
    assert events[1:] == whole.events[1:]
    assert len(whole.bodies(OrderFilled)) > 10
    assert state_digest(state) == state_digest(whole.state)
