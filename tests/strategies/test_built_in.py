"""What the built-in strategies and exits do, bar by bar."""

import numpy as np

from tradingd.kernels.random import splitmix64, uniform
from tradingd.strategies.checks import bars_of_closes, random_walk
from tradingd.strategies.coin_flip import coin_flip
from tradingd.strategies.contract import compiled
from tradingd.strategies.donchian import channel, donchian
from tradingd.strategies.exits.fixed_ratio import fixed_ratio
from tradingd.strategies.exits.trailing_atr import trailing_atr
from tradingd.strategies.mean_reversion import mean_reversion
from tradingd.strategies.pair_reversion import pair_reversion
from tradingd.strategies.run import StrategyRun
from tradingd.strategies.sma_cross import sma_cross


@compiled(params={"target": 1.0})
def always(state, bar, params, out):
    out.target = params.target


def outs(strategy, closes, params=None, exits=(), spread=0.0):
    return StrategyRun(strategy, params, exits).feed(bars_of_closes(np.array(closes), spread))


def test_sma_cross_follows_the_fast_average():
    closes = [3.0, 2.0, 1.0, 2.0, 4.0, 5.0, 3.0, 1.0]
    params = {"fast": 1, "slow": 3}
    assert outs(sma_cross, closes, params)["target"].tolist() == [0, 0, -1, 1, 1, 1, -1, -1]
    assert outs(sma_cross, closes, params | {"long_only": True})["target"].tolist() == [0, 0, 0, 1, 1, 1, 0, 0]


def test_mean_reversion_enters_outside_of_the_band_and_leaves_at_the_mean():
    quiet = [100.0, 101.0] * 5
    params = {"period": 10, "entry": 2.0}
    target = outs(mean_reversion, [*quiet, 95.0, 96.0, 99.9, 103.0, 110.0], params)["target"]
    assert target[9] == 0.0
    assert target[10:13].tolist() == [1.0, 1.0, 0.0]
    assert target[14] == -1.0


def test_mean_reversion_sees_nothing_in_prices_that_stand_still():
    assert not outs(mean_reversion, np.full(100, 0.1), {"period": 7})["target"].any()


def test_pair_reversion_trades_the_ratio_against_its_mean():
    # given a ratio of two walks, and its distance from its mean in deviations, computed by NumPy
    first, second = random_walk(600, 1), random_walk(600, 2)
    ratio = first["close"] / second["close"]
    windows = np.lib.stride_tricks.sliding_window_view(ratio, 20)
    distance = np.concatenate([np.zeros(19), (ratio[19:] - windows.mean(axis=1)) / windows.std(axis=1)])
    # when it is in beyond two deviations and out at the mean
    held, expected = 0.0, []
    for each in distance:
        if abs(each) > 2.0:
            held = -0.5 if each > 0.0 else 0.5
        elif held * each >= 0.0:
            held = 0.0
        expected.append(held)
    # then so is the strategy, and the second leg is on the other side
    targets = StrategyRun(pair_reversion, {"period": 20}).feed(np.stack([first, second], axis=1))["target"]
    assert targets[:, 0].tolist() == expected
    assert (targets[:, 1] == -targets[:, 0]).all()
    assert len(np.unique(targets)) == 3


def test_a_coin_is_fair_seeded_and_blind():
    bars, other = random_walk(20_000, 1), random_walk(20_000, 2)
    first = StrategyRun(coin_flip, {"seed": 7, "hold_bars": 1}).feed(bars)["target"]
    assert (first == StrategyRun(coin_flip, {"seed": 7, "hold_bars": 1}).feed(other)["target"]).all()
    assert (first != StrategyRun(coin_flip, {"seed": 8, "hold_bars": 1}).feed(bars)["target"]).any()
    assert abs(first.mean()) < 0.03
    held = StrategyRun(coin_flip, {"hold_bars": 10}).feed(bars)["target"].reshape(-1, 10)
    assert (held == held[:, :1]).all()


def test_splitmix64_gives_the_published_numbers():
    """The first outputs for the seed 1234567, as in the reference implementation."""
    state, numbers = np.uint64(1234567), []
    for _ in range(3):
        state, bits = splitmix64(np.uint64(state))
        numbers.append(int(bits))
    assert numbers == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert uniform(np.uint64(2**64 - 1)) < 1.0 and uniform(np.uint64(0)) == 0.0


def test_a_trailing_stop_follows_the_best_close_and_never_goes_back():
    closes = [100.0, 101.0, 102.0, 103.0, 104.0, 103.5, 102.5, 101.0, 106.0]
    result = outs(always, closes, exits=[(trailing_atr, {"period": 2, "multiple": 2.0})])
    assert np.isnan(result["stop"][:2]).all()
    assert result["stop"][2:7].tolist() == [100.0, 101.0, 102.0, 102.0, 102.0]
    assert result["target"].tolist() == [1, 1, 1, 1, 1, 1, 1, 0, 0]
    assert np.isnan(result["stop"][7:]).all()


def test_a_trailing_stop_of_a_short_stands_above():
    result = outs(
        always, [100.0, 99.0, 98.0, 99.0, 101.0], {"target": -1.0}, [(trailing_atr, {"period": 1, "multiple": 1.5})]
    )
    assert result["stop"][1:4].tolist() == [100.5, 99.5, 99.5]
    assert result["target"].tolist() == [-1, -1, -1, -1, 0]


def test_a_tighter_stop_of_the_strategy_stays():
    @compiled()
    def careful(state, bar, params, out):
        out.target = 1.0
        out.stop = bar.close - 0.25

    result = outs(careful, [100.0, 101.0, 102.0], exits=[(trailing_atr, {"period": 1, "multiple": 1.0})])
    assert result["stop"].tolist() == [99.75, 100.75, 101.75]


def test_a_fixed_ratio_stands_where_the_entry_put_it():
    exits = [(fixed_ratio, {"fraction": 0.02, "ratio": 3.0})]
    result = outs(always, [100.0, 101.0, 99.0, 105.0, 106.0, 90.0], exits=exits)
    assert result["stop"][:4].tolist() == [98.0] * 4
    assert result["take_profit"][:4].tolist() == [106.0] * 4
    assert result["target"].tolist() == [1, 1, 1, 1, 0, 0]
    lost = outs(always, [100.0, 97.0], {"target": -1.0}, exits=[(fixed_ratio, {"fraction": 0.01, "ratio": 9.0})])
    assert (lost["stop"][0], lost["take_profit"][0]) == (101.0, 91.0)


def test_a_fixed_ratio_in_ranges_waits_until_they_are_warm():
    exits = [(fixed_ratio, {"period": 2, "multiple": 2.0, "ratio": 2.0})]
    result = outs(always, [100.0, 101.0, 102.0, 102.5], exits=exits)
    assert np.isnan(result["stop"][:2]).all()
    assert result["stop"][2:].tolist() == [100.0, 100.0]
    assert result["take_profit"][2:].tolist() == [106.0, 106.0]


DONCHIAN = {"length": 3, "period": 2, "multiple": 2.0}


def test_donchian_waits_at_the_nearer_end_of_its_channel():
    closes = [100.0, 104.0, 102.0, 101.5, 100.5]
    result = outs(donchian, closes, DONCHIAN)
    assert result["target"].tolist() == [0, 0, 1, -1, -1]
    assert result["trigger"][2:].tolist() == [104.0, 100.0, 100.5]
    assert result["trail"][2:4].tolist() == [2.0 * 3.0, 2.0 * 1.75]
    assert outs(donchian, closes, DONCHIAN | {"long_only": True})["target"].tolist() == [0, 0, 1, 1, 1]


def test_donchian_holds_until_its_stop_is_reached_and_waits_anew():
    # given a channel whose top is reached at 105, with a stop that trails by 4
    result = outs(donchian, [100.0, 102.0, 104.0, 105.0, 108.0, 105.0, 103.5, 103.0], DONCHIAN)
    assert result["target"][2:].tolist() == [1, 1, 1, 1, 0, -1]
    assert (result["trigger"][2:6] == 104.0).all() and (result["trail"][2:6] == 4.0).all()
    assert np.isnan(result["trigger"][6])


def test_the_channel_is_drawn_as_it_is_traded():
    bars = random_walk(100)
    upper, lower = channel(bars["high"], bars["low"], 7)
    assert np.isnan(upper[:6]).all() and np.isnan(lower[:6]).all()
    assert upper[6:].tolist() == [bars["high"][i - 6 : i + 1].max() for i in range(6, 100)]
    assert lower[6:].tolist() == [bars["low"][i - 6 : i + 1].min() for i in range(6, 100)]
    assert np.isnan(channel(bars["high"][:3], bars["low"][:3], 7)[0]).all()
