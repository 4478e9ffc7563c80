"""Indicators: the step and the batch form are one, and both agree with TA-Lib."""

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tradingd.kernels import indicators as ind

RNG = np.random.default_rng(3)
CLOSE = 100.0 + RNG.standard_normal(5000).cumsum() * 0.1
HIGH, LOW = CLOSE + np.abs(RNG.standard_normal(5000)), CLOSE - np.abs(RNG.standard_normal(5000))


def nan_free(*columns):
    return np.array(columns)[:, ~np.isnan(columns).any(axis=0)]


def assert_equal(ours, theirs, scale=1e-9):
    """Equal, and not a number at the same places; `scale` is relative to the largest value."""
    for a, b in zip(np.atleast_2d(ours), np.atleast_2d(theirs), strict=True):
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
        np.testing.assert_allclose(a, b, rtol=scale, atol=scale * np.nanmax(np.abs(b), initial=0.0), equal_nan=True)


def by_steps(step, state, *columns):
    return np.array([step(state[()], *row) for row in zip(*columns, strict=True)]).T


BATCH_AND_STEPS = {
    "sma": lambda: (ind.sma(CLOSE, 20), by_steps(ind.sma_step, ind.sma_state(20), CLOSE)),
    "ema": lambda: (ind.ema(CLOSE, 20), by_steps(ind.ema_step, ind.ema_state(20), CLOSE)),
    "rsi": lambda: (ind.rsi(CLOSE, 14), by_steps(ind.rsi_step, ind.rsi_state(14), CLOSE)),
    "atr": lambda: (ind.atr(HIGH, LOW, CLOSE, 14), by_steps(ind.atr_step, ind.atr_state(14), HIGH, LOW, CLOSE)),
    "macd": lambda: (ind.macd(CLOSE, 12, 26, 9), by_steps(ind.macd_step, ind.macd_state(12, 26, 9), CLOSE)),
}


@pytest.mark.parametrize("name", BATCH_AND_STEPS)
def test_the_batch_form_gives_the_bits_of_the_steps(name):
    batch, steps = BATCH_AND_STEPS[name]()
    np.testing.assert_array_equal(np.array(batch), steps)


def test_bollinger_bands_are_the_steps_mean_and_deviation():
    upper, middle, lower = ind.bollinger(CLOSE, 20, 2.0)
    mean, deviation = by_steps(ind.bollinger_step, ind.bollinger_state(20), CLOSE)
    np.testing.assert_array_equal(middle, mean)
    np.testing.assert_array_equal(upper, mean + 2.0 * deviation)
    np.testing.assert_array_equal(lower, mean - 2.0 * deviation)


@pytest.mark.parametrize("period", [2, 3, 8, 14, 50, 333])
def test_talib_agrees_for_any_period(period):
    assert_equal(ind.sma(CLOSE, period), talib.SMA(CLOSE, period))
    assert_equal(ind.ema(CLOSE, period), talib.EMA(CLOSE, period))
    assert_equal(ind.rsi(CLOSE, period), talib.RSI(CLOSE, period))
    assert_equal(ind.atr(HIGH, LOW, CLOSE, period), talib.ATR(HIGH, LOW, CLOSE, period))
    assert_equal(ind.bollinger(CLOSE, period, 2.5), talib.BBANDS(CLOSE, period, 2.5, 2.5))


@pytest.mark.parametrize("periods", [(12, 26, 9), (3, 10, 16), (5, 35, 5)])
def test_talib_agrees_on_macd_and_its_alignment(periods):
    assert_equal(ind.macd(CLOSE, *periods), talib.MACD(CLOSE, *periods))


@pytest.mark.parametrize("length", [0, 1, 13, 14])
def test_too_few_values_give_no_numbers(length):
    assert np.isnan(ind.rsi(CLOSE[:length], 14)).all()
    assert np.isnan(ind.macd(CLOSE[:length], 12, 26, 9)).all()
    assert len(ind.sma(CLOSE[:length], 14)) == length


def test_prices_that_stand_still_give_the_price_and_no_deviation():
    still = np.full(200, 0.1)
    assert (ind.sma(still, 7)[6:] == 0.1).all()
    upper, middle, lower = ind.bollinger(still, 7, 2.0)
    assert (middle[6:] == 0.1).all() and (upper == middle)[6:].all() and (lower == middle)[6:].all()


def test_a_mean_does_not_drift():
    """A million values around 1e9 and back: the running sum is as good as a fresh one."""
    values = 1e9 + RNG.standard_normal(1_000_000)
    values[500_000:] = 1.0 + RNG.standard_normal(500_000) * 1e-3
    average, (_, middle, _) = ind.sma(values, 20), ind.bollinger(values, 20, 2.0)
    assert abs(average[-1] - values[-20:].mean()) < 1e-15
    assert abs(middle[-1] - values[-20:].mean()) < 1e-15


def test_a_deviation_does_not_depend_on_the_price_level():
    noise = RNG.standard_normal(10_000) * 1e-3
    upper, middle, _ = ind.bollinger(1e6 + noise, 20, 1.0)
    exact = np.lib.stride_tricks.sliding_window_view(1e6 + noise, 20).std(axis=1)
    np.testing.assert_allclose((upper - middle)[19:], exact, rtol=1e-6)  # the bands themselves have 1e-10 of resolution


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e308])
def test_a_bad_value_is_gone_after_three_windows(bad):
    values = CLOSE[:200].copy()
    values[50] = bad
    assert_equal(ind.sma(values, 10)[80:], talib.SMA(CLOSE[:200].copy(), 10)[80:])


@given(arrays(np.float64, st.integers(0, 60), elements=st.floats(-1e6, 1e6)), st.integers(1, 12), st.integers(0, 60))
def test_no_indicator_looks_ahead(values, period, cut):
    head = values[:cut]
    np.testing.assert_array_equal(ind.sma(head, period), ind.sma(values, period)[:cut])
    np.testing.assert_array_equal(ind.rsi(head, period), ind.rsi(values, period)[:cut])
    np.testing.assert_array_equal(
        ind.bollinger(head, period, 2.0), np.array(ind.bollinger(values, period, 2.0))[:, :cut]
    )


@given(
    arrays(np.float64, st.integers(1, 80), elements=st.integers(-1000, 1000).map(lambda n: n / 100)), st.integers(1, 20)
)
def test_means_and_deviations_equal_a_naive_reference(values, period):
    upper, middle, _ = ind.bollinger(values, period, 1.0)
    for i in range(period - 1, len(values)):
        window = values[i - period + 1 : i + 1]
        assert abs(middle[i] - window.mean()) < 1e-12
        assert abs((upper[i] - middle[i]) ** 2 - window.var()) < 1e-11
        assert abs(ind.sma(values, period)[i] - window.mean()) < 1e-12


@given(arrays(np.float64, st.integers(20, 60), elements=st.floats(-1e9, 1e9)))
def test_rsi_stays_within_0_and_100(values):
    (rsi,) = nan_free(ind.rsi(values, 14))
    assert ((rsi >= 0.0) & (rsi <= 100.0)).all()
