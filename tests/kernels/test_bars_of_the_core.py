"""Bars that the core closes tick by tick are those of the batch form, to the bit."""

import numpy as np
import pytest

from tradingd.columns import BAR, TIMEFRAMES, TRADE, tick_batch
from tradingd.core.advance import advance
from tradingd.core.settings import BarSettings, CoreSettings, encode_settings
from tradingd.core.state import initial_state
from tradingd.events import Input, RunStarted
from tradingd.instruments import NS, AccountSettings, AssetClass, Instrument, Session
from tradingd.kernels.bars import ALL_TIMEFRAMES, bars_of_ticks

T0 = 1_704_067_200 * NS
SESSIONS = [
    Session(),
    Session(timezone="New York", open="09:30", close="16:00", utc_offsets=((0, -18_000),)),
    Session(timezone="New York", open="17:00", close="17:00", utc_offsets=((0, -18_000),)),
]


def core_bars(ts, price, size, timeframes, session):
    """Without the grace, which goes by receive time and closes bars that no tick has closed."""
    instrument = Instrument(
        id="SIM:A", asset_class=AssetClass.EQUITY, tick_size=0.01, lot_size=1.0, currency="USD", session=session
    )
    settings = CoreSettings(
        instruments=(instrument,),
        accounts=(AccountSettings("USD", "1000"),),
        bars=BarSettings(timeframes=tuple(TIMEFRAMES[i] for i in timeframes), grace_ms=3_600_000),
    )
    state = initial_state(settings, {})
    body = RunStarted(
        journal_id="TEST", epoch=1, config=encode_settings(settings), config_digest="", code_digest="", sources=("a",)
    )
    ticks = tick_batch(
        0, kind=TRADE, instrument=0, ts_event_ns=ts, ts_received_ns=np.full(len(ts), T0), price=price, size=size
    )
    advance(state, [Input(T0, T0, "daemon", body)])
    return advance(state, [ticks]).bars.rows


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.open)
@pytest.mark.parametrize("timeframes", [ALL_TIMEFRAMES, (1, 2, 7), (7,)], ids=str)
def test_the_core_and_the_batch_make_the_same_bars(timeframes, session):
    rng = np.random.default_rng(5)
    gaps = rng.exponential(30 * NS, 20_000).astype(np.int64) - (rng.random(20_000) < 0.1) * 20 * NS
    ts = T0 + gaps.cumsum()
    price = np.round(100.0 + rng.standard_normal(20_000).cumsum() * 0.01, 2)
    size = np.round(rng.random(20_000), 3)
    rows = core_bars(ts, price, size, timeframes, session)
    batch, late = bars_of_ticks(ts, price, size, timeframes, session)
    assert late > 0 or timeframes == (7,)
    for timeframe, bars in zip(timeframes, batch, strict=True):
        ours = rows[rows["timeframe"] == timeframe]
        assert len(ours) == len(bars) > 0
        for name in BAR.names:
            np.testing.assert_array_equal(ours[name], bars[name], err_msg=f"{TIMEFRAMES[timeframe]} {name}")
