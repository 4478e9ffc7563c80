"""The simulated market: the same seed makes the same ticks, and they look like a market."""

import msgspec
import numpy as np
import pytest

from tradingd.columns import AGGRESSOR_BUY, QUOTE, TRADE, TickBatch, concat_ticks
from tradingd.feeds.contract import FeedConfigError
from tradingd.feeds.rows import Rows
from tradingd.feeds.settings import FeedSettings, SimulatedInstrument, SimulatedSettings
from tradingd.feeds.simulated import SimulatedMarket, on_grid, simulated_feed
from tradingd.grid import grid_of
from tradingd.instruments import AssetClass, Instrument

INSTRUMENTS = [
    Instrument(id=f"SIM:{name}", asset_class=AssetClass.SPOT, tick_size=tick, lot_size=lot, currency="USD")
    for name, tick, lot in (("A", 0.01, 1.0), ("B", 0.05, 0.001), ("C", 0.00001, 100.0))
]


def settings(**changes: object) -> SimulatedSettings:
    base = SimulatedSettings(
        name="sim",
        seed=11,
        start="2026-01-05T09:30:00+00:00",
        duration_s=6000.0,
        ticks_per_s=50.0,
        instruments=tuple(
            SimulatedInstrument(instrument=one.id, price=price, loading=loading)
            for one, price, loading in zip(INSTRUMENTS, (100.0, 2500.0, 1.1), (0.9, 0.9, 0.0), strict=True)
        ),
    )
    return msgspec.structs.replace(base, **changes)


def ticks(chosen: SimulatedSettings) -> TickBatch:
    batches = simulated_feed(chosen, 0, INSTRUMENTS).items(0)
    return concat_ticks([item for items in batches for item in items if isinstance(item, TickBatch)])


def test_the_same_seed_makes_the_same_ticks_and_another_one_others() -> None:
    first, again, other = ticks(settings()), ticks(settings(batch_rows=333)), ticks(settings(seed=12))
    for name in ("kind", "instrument", "ts_event_ns", "price", "ask_price", "size", "ask_size", "flags", "venue_id"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.price, other.price)


def test_a_block_does_not_depend_on_those_before_it() -> None:
    late: Rows = SimulatedMarket(settings(), INSTRUMENTS).block(40)
    market = SimulatedMarket(settings(), INSTRUMENTS)
    for number in range(40):
        market.block(number)
    for name, column in market.block(40).columns.items():
        np.testing.assert_array_equal(column, late.columns[name])


def test_prices_sit_on_tick_and_sizes_on_lot() -> None:
    made = ticks(settings())
    for index, one in enumerate(INSTRUMENTS):
        mine = made.instrument == index
        for values, step in ((made.price, one.tick_size), (made.size, one.lot_size)):
            assert all(map(grid_of(step).holds, values[mine].tolist()))
            assert values[mine].min() >= step


def test_a_grid_point_is_the_float_of_its_decimal_text() -> None:
    assert on_grid(np.array([3, 6_180_030]), 0.1).tolist() == [0.3, 618003.0]
    assert on_grid(np.array([6_180_031]), 0.01).tolist() == [61800.31]


def test_length_rate_order_and_shares_are_as_told() -> None:
    made = ticks(settings())
    assert len(made) == 300_000
    assert (np.diff(made.ts_event_ns) >= 0).all()
    assert (made.ts_event_ns[-1] - made.ts_event_ns[0]) / 1e9 == pytest.approx(6000, rel=0.01)
    assert np.mean(made.kind == QUOTE) == pytest.approx(0.7, abs=0.01)
    assert np.bincount(made.instrument).tolist() == pytest.approx([1e5] * 3, rel=0.02)


def test_quotes_are_never_crossed_and_trades_are_at_bid_or_ask() -> None:
    made = ticks(settings())
    quotes, trades = made.kind == QUOTE, made.kind == TRADE
    assert (made.price[quotes] < made.ask_price[quotes]).all()
    assert np.isnan(made.ask_price[trades]).all()
    assert np.mean(made.flags[trades] == AGGRESSOR_BUY) == pytest.approx(0.5, abs=0.02)


def minute_returns(made: TickBatch, index: int) -> np.ndarray:
    quotes = (made.instrument == index) & (made.kind == QUOTE)
    minute = made.ts_event_ns[quotes] // 60_000_000_000
    last = np.flatnonzero(np.diff(minute))
    return np.diff(np.log(made.price[quotes][last]))


def test_loadings_make_the_correlation_and_volatility_is_as_told() -> None:
    made = ticks(settings(duration_s=60_000.0, ticks_per_s=8.0, jumps_per_day=0.0, regimes=settings().regimes[:1]))
    returns = [minute_returns(made, index) for index in range(3)]
    assert np.corrcoef(returns[0], returns[1])[0, 1] == pytest.approx(0.81, abs=0.12)
    assert abs(np.corrcoef(returns[0], returns[2])[0, 1]) < 0.12
    assert returns[0].std() * np.sqrt(1440) == pytest.approx(0.02, rel=0.15)


def test_regimes_and_jumps_make_it_wilder() -> None:
    calm = settings(jumps_per_day=0.0, regimes=settings().regimes[:1])
    jumpy = settings(jumps_per_day=2000.0, jump_size=0.01, regimes=settings().regimes[:1])
    wild = settings(jumps_per_day=0.0, regimes=(msgspec.structs.replace(settings().regimes[1], factor=5.0),))
    spread = [minute_returns(ticks(one), 0).std() for one in (calm, jumpy, wild)]
    assert spread[1] > 3 * spread[0]
    assert spread[2] > 3 * spread[0]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"start": "yesterday"}, "no ISO time"),
        ({"instruments": (SimulatedInstrument(instrument="SIM:X", price=1),)}, "not declared"),
    ],
)
def test_what_can_not_be_simulated_is_one_clear_line(changes: dict, what: str) -> None:
    with pytest.raises(FeedConfigError, match=what):
        simulated_feed(settings(**changes), 0, INSTRUMENTS)


def test_settings_are_one_union_by_kind() -> None:
    encoded = msgspec.json.encode(settings())
    assert b'"kind":"simulated"' in encoded
    assert msgspec.json.decode(encoded, type=FeedSettings) == settings()
