"""Bars from ticks: equal to Polars on recorded trades, to the bit to a naive reference, and to the shared helpers."""

import gzip
import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.columns import TIMEFRAME_NS, TIMEFRAMES, parent_level
from tradingd.instruments import NS, Session
from tradingd.kernels import bars as kernel
from tradingd.kernels.bars import ALL_TIMEFRAMES, bars_of_ticks

DAY, HOUR_NS, T0 = 7, 3600 * NS, 1_704_067_200 * NS  # 2024-01-01 00:00 UTC
NEW_YORK = Session(timezone="America/New_York", open="09:30", close="16:00", utc_offsets=((0, -5 * 3600),))
FX = Session(timezone="America/New_York", open="17:00", close="17:00", utc_offsets=((0, -5 * 3600),))


def ticks(*rows):
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return np.array(columns[0], np.int64), np.array(columns[1], np.float64), np.array(columns[2], np.float64)


def naive(ts, price, size, timeframes, session):
    """Bars per timeframe as lists of dicts, finished; written from the description, not from the kernel."""
    finest: list[dict] = []
    late, newest = 0, None
    for t, x, z in zip(ts.tolist(), price.tolist(), size.tolist(), strict=True):
        opens, closes = borders(timeframes[0], t, session)
        if newest is not None and t < newest:
            late += 1
            continue
        if t >= closes:
            continue
        if not finest or opens > finest[-1]["ts_open"]:
            finest.append(new_bar(opens, closes))
            newest = opens
        merge(finest[-1], {"open": x, "high": x, "low": x, "close": x, "volume": z, "notional": x * z, "trades": 1})
    levels = [finest]
    for position, timeframe in enumerate(timeframes[1:], 1):
        finer = levels[parent_level(session, timeframe, timeframes[:position])]
        bars: list[dict] = []
        for part in finer:
            opens, closes = borders(timeframe, part["ts_open"], session)
            if part["ts_open"] < closes:
                if not bars or bars[-1]["ts_open"] != opens:
                    bars.append(new_bar(opens, closes))
                merge(bars[-1], part)
        levels.append(bars)
    return levels, late


def borders(timeframe, t, session):
    if timeframe == DAY:
        return session.bounds(t)
    return t // TIMEFRAME_NS[timeframe] * TIMEFRAME_NS[timeframe], (t // TIMEFRAME_NS[timeframe] + 1) * TIMEFRAME_NS[
        timeframe
    ]


def new_bar(opens, closes):
    return {"ts_open": opens, "ts_close": closes, "volume": 0.0, "notional": 0.0, "trades": 0}


def merge(bar, part):
    bar.setdefault("open", part["open"])
    bar["high"] = max(bar.get("high", part["high"]), part["high"])
    bar["low"] = min(bar.get("low", part["low"]), part["low"])
    bar["close"] = part["close"]
    for name in ("volume", "notional", "trades"):
        bar[name] += part[name]


def assert_same(levels, expected):
    for level, bars in zip(levels, expected, strict=True):
        assert len(level) == len(bars)
        for name in ("ts_open", "ts_close", "open", "high", "low", "close", "volume", "trades"):
            assert level[name].tolist() == [bar[name] for bar in bars], name
        vwap = [bar["notional"] / bar["volume"] if bar["volume"] else np.nan for bar in bars]
        np.testing.assert_array_equal(level["vwap"], vwap)


TICK_GAPS = st.one_of(
    st.integers(0, 3 * NS), st.integers(0, 6 * HOUR_NS), st.integers(-2 * NS, 0), st.sampled_from([0, NS, 60 * NS])
)
ROWS = st.lists(
    st.tuples(
        TICK_GAPS, st.integers(-500, 10_000).map(lambda n: n / 100), st.integers(0, 1000).map(lambda n: n / 1000)
    ),
    max_size=60,
)
SETS = st.sampled_from([ALL_TIMEFRAMES, (1, 2, 7), (0, 7), (1,), (7,), (2, 3, 4, 5, 6)])


@given(ROWS, SETS, st.sampled_from([Session(), NEW_YORK, FX]))
def test_bars_equal_a_naive_reference_to_the_bit(rows, timeframes, session):
    gaps, price, size = ticks(*rows)
    ts = T0 + gaps.cumsum()
    levels, late = bars_of_ticks(ts, price, size, timeframes, session, finish=True)
    expected, expected_late = naive(ts, price, size, timeframes, session)
    assert_same(levels, expected)
    assert late == expected_late


@given(ROWS, st.integers(0, 60), st.sampled_from([Session(), NEW_YORK]))
def test_closed_bars_never_change(rows, cut, session):
    """Bars of the first ticks are the first bars of all ticks."""
    gaps, price, size = ticks(*rows)
    ts = T0 + gaps.cumsum()
    early, _ = bars_of_ticks(ts[:cut], price[:cut], size[:cut], session=session)
    whole, _ = bars_of_ticks(ts, price, size, session=session)
    for before, after in zip(early, whole, strict=True):
        assert before.tobytes() == after[: len(before)].tobytes()


@given(ROWS)
def test_the_shared_helpers_make_the_same_bars(rows):
    """bar_start, bar_add and bar_merge, as the scan uses them, against the batch."""
    gaps, price, size = ticks(*rows)
    ts = T0 + np.abs(gaps).cumsum()
    (seconds, minutes), _ = bars_of_ticks(ts, price, size, (0, 1), finish=True)
    for level, length_ns in ((seconds, NS), (minutes, 60 * NS)):
        assert_same([level], [helper_bars(ts, price, size, length_ns)])


def helper_bars(ts, price, size, length_ns):
    work, minute = np.zeros(1, kernel.WORK), np.zeros(1, kernel.WORK)
    closed = []
    for t, x, z in zip(ts.tolist(), price.tolist(), size.tolist(), strict=True):
        if work["trades"][0] and t < work["ts_close"][0]:
            kernel.bar_add(work[0], x, z)
            continue
        close_second(work, minute, closed, length_ns)
        kernel.bar_start(work[0], t // NS * NS, (t // NS + 1) * NS, x, z)
    close_second(work, minute, closed, length_ns)
    if minute["trades"][0]:
        closed.append(dict(zip(minute.dtype.names, minute[0].item(), strict=True)))
    return closed


def close_second(work, coarser, closed, length_ns):
    if not work["trades"][0]:
        return
    opens = int(work["ts_open"][0]) // length_ns * length_ns
    if coarser["trades"][0] and coarser["ts_open"][0] == opens:
        kernel.bar_merge(coarser[0], work[0])
        return
    if coarser["trades"][0]:
        closed.append(dict(zip(coarser.dtype.names, coarser[0].item(), strict=True)))
    coarser[:] = work
    coarser["ts_open"], coarser["ts_close"] = opens, opens + length_ns


def test_a_bar_closes_at_the_first_tick_at_or_after_its_end():
    rows = [(T0, 10.0, 1.0), (T0 + NS - 1, 12.0, 3.0), (T0 + NS, 11.0, 1.0)]
    levels, late = bars_of_ticks(*ticks(*rows))
    assert [len(level) for level in levels] == [1, 0, 0, 0, 0, 0, 0, 0]
    bar = levels[0][0]
    assert (bar["open"], bar["high"], bar["low"], bar["close"]) == (10.0, 12.0, 10.0, 12.0)
    assert (bar["volume"], bar["vwap"], bar["trades"], late) == (4.0, 11.5, 2, 0)


def test_a_late_tick_is_skipped_and_counted():
    rows = [(T0 + NS, 10.0, 1.0), (T0 + NS - 1, 99.0, 1.0), (T0 + 2 * NS, 11.0, 1.0), (T0, 99.0, 1.0)]
    levels, late = bars_of_ticks(*ticks(*rows), finish=True)
    assert late == 2
    assert levels[0]["high"].tolist() == [10.0, 11.0]


def test_a_tick_older_than_another_of_its_own_bar_is_not_late():
    levels, late = bars_of_ticks(*ticks((T0 + 500, 10.0, 1.0), (T0 + 100, 12.0, 1.0)), finish=True)
    assert (late, levels[0]["close"].tolist(), levels[0]["trades"].tolist()) == (0, [12.0], [2])


def test_a_days_bar_holds_the_session_only():
    open_ns = T0 + 14 * HOUR_NS + 1800 * NS  # 09:30 in New York
    rows = [(open_ns - 1, 1.0, 1.0), (open_ns, 2.0, 1.0), (open_ns + 7 * HOUR_NS, 3.0, 1.0)]
    levels, _ = bars_of_ticks(*ticks(*rows), session=NEW_YORK)
    assert levels[DAY]["close"].tolist() == [2.0]
    assert levels[DAY]["ts_open"].tolist() == [open_ns]
    assert sum(level["trades"].sum() for level in levels[:1]) == 2  # the third tick's bars are still open


def test_a_session_on_half_hours_is_filled_by_half_hours_and_one_with_an_odd_offset_by_seconds():
    assert parent_level(NEW_YORK, DAY, ALL_TIMEFRAMES[:7]) == TIMEFRAMES.index("30m")
    odd = Session(open="09:30", close="16:00", utc_offsets=((0, -17_762),))  # local mean time, as zone files have it
    assert parent_level(odd, DAY, ALL_TIMEFRAMES[:7]) == 0
    with pytest.raises(ValueError, match="add 1m"):
        bars_of_ticks(*ticks((T0, 1.0, 1.0)), (5, 7), NEW_YORK)


def test_no_ticks_make_no_bars():
    levels, late = bars_of_ticks(*ticks(), finish=True)
    assert [len(level) for level in levels] == [0] * 8 and late == 0


def polars_bars(ts, price, size, every):
    frame = pl.DataFrame({"ts": ts, "p": price, "s": size}).with_columns(pl.col("ts").cast(pl.Datetime("ns")))
    p, s = pl.col("p"), pl.col("s")
    return frame.group_by_dynamic(pl.col("ts").set_sorted(), every=every).agg(
        p.first().alias("open"), p.max().alias("high"), p.min().alias("low"), p.last().alias("close"),
        s.sum().alias("volume"), ((p * s).sum() / s.sum()).alias("vwap"), pl.len().alias("trades"),
    )  # fmt: skip


def assert_equals_polars(ts, price, size):
    levels, late = bars_of_ticks(ts, price, size, finish=True)
    assert late == 0
    for level, every in zip(levels, TIMEFRAMES, strict=True):
        theirs = polars_bars(ts, price, size, every)
        assert level["ts_open"].tolist() == theirs["ts"].cast(pl.Int64).to_list()
        for name in ("open", "high", "low", "close", "trades"):
            np.testing.assert_array_equal(level[name], theirs[name].to_numpy(), err_msg=f"{every} {name}")
        for name in ("volume", "vwap"):  # they add up in another order
            np.testing.assert_allclose(level[name], theirs[name].to_numpy(), rtol=1e-12, err_msg=f"{every} {name}")


@pytest.mark.realdata
def test_spy_trades_equal_polars(realdata):
    frame = pl.read_csv(realdata / "ticks" / "spy_trades_2013-10-07_11.csv.gz", columns=["ts_ms", "price", "size"])
    frame = frame.sort("ts_ms", maintain_order=True)
    assert_equals_polars(
        frame["ts_ms"].to_numpy() * 1_000_000, frame["price"].to_numpy(), frame["size"].cast(pl.Float64).to_numpy()
    )


@pytest.mark.realdata
def test_binance_trades_equal_polars(realdata):
    rows = []
    with gzip.open(realdata / "ticks" / "binance_usdm_btcusdt_20240808.raw.gz", "rt") as lines:
        for line in lines:
            if '"e":"trade"' in line:
                data = json.loads(line.partition(" ")[2])["data"]
                rows.append((data["T"] * 1_000_000, float(data["p"]), float(data["q"])))
    assert len(rows) == 21_313
    rows = [row for row in rows if row[1] > 0.0]  # insurance fund prints carry no price
    ts, price, size = ticks(*sorted(rows, key=lambda row: row[0]))
    assert_equals_polars(ts, price, size)
