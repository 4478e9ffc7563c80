"""Events from frames and files: order, clocks, grids, the chain of a venue's diffs, and a line for each mistake."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tradingd.backtesting.depth import DepthEvents
from tradingd.backtesting.depth.binance import read_binance
from tradingd.backtesting.depth.tardis import read_tardis
from tradingd.backtesting.depth.ticks import from_ticks
from tradingd.backtesting.errors import BacktestError

FRAME = pl.DataFrame(
    {
        "ts_event_ns": [5, 3, 3, 9],
        "ts_received_ns": [9, 7, 8, 9],
        "kind": ["bid", "clear", "ask", "sell_trade"],
        "price": [0.3, None, 0.7, 0.3],
        "size": [0.003, None, 0.0005, 0.0],
    }
)
GRID = {"tick_size": 0.1, "lot_size": 0.001}


def rows(events: DepthEvents) -> list[tuple[Any, ...]]:
    names = ("ts_event_ns", "ts_received_ns", "kind", "ticks", "lots")
    return list(zip(*(getattr(events, name).tolist() for name in names), strict=True))


# frames


def test_rows_are_ordered_by_event_time_and_nothing_overtakes() -> None:
    events = DepthEvents.of(FRAME, **GRID)
    assert rows(events) == [(3, 7, 4, 0, 0.0), (3, 8, 1, 7, 0.5), (5, 9, 0, 3, 3.0), (9, 9, 3, 3, 0.0)]
    late = FRAME.with_columns(ts_received_ns=pl.Series([9, 30, 8, 9]))
    assert DepthEvents.of(late, **GRID).ts_received_ns.tolist() == [30, 30, 30, 30]


def test_a_frame_comes_back() -> None:
    events = DepthEvents.of(FRAME, **GRID)
    again = DepthEvents.of(events.frame(**GRID), **GRID)
    assert rows(again) == rows(events)
    assert again.digest() == events.digest() != DepthEvents.of(FRAME[1:], **GRID).digest()


def test_levels_far_away_can_be_left_out() -> None:
    events = DepthEvents.of(FRAME, **GRID)
    assert events.reach == (3, 7)
    assert events.near(0, 5).ticks.tolist() == [0, 3, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"price": [0.3, None, 0.75, 0.3]}, "event 2 has a price of 0.75, which is no multiple of the tick size 0.1"),
        ({"price": [None, None, 0.7, 0.3]}, "event 0 has a price of nan"),
        ({"size": [-1.0, None, 0.1, 0.0]}, "event 2 has a size below 0, too large, or none"),
        ({"size": [None, None, 0.1, 0.0]}, "event 2 has a size below 0, too large, or none"),
        ({"kind": ["bid", "clear", "offer", "bid"]}, "event 1 has an unknown kind; there are bid, ask, buy_trade"),
        ({"ts_received_ns": [4, 7, 8, 9]}, "event 0 was received 1e-06 ms before it happened"),
        ({"price": [1e7, None, 0.7, 0.3]}, "levels reach from 7 to 100,000,000 ticks"),
    ],
)
def test_a_mistake_in_a_frame_is_a_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BacktestError, match=message):
        DepthEvents.of(FRAME.with_columns(**{name: pl.Series(values) for name, values in change.items()}), **GRID)


def test_frames_that_hold_nothing() -> None:
    with pytest.raises(BacktestError, match="there are no events"):
        DepthEvents.of(FRAME.clear(), **GRID)
    with pytest.raises(BacktestError, match="the events have no column size; they have ts_event_ns"):
        DepthEvents.of(FRAME.drop("size"), **GRID)


def test_rows_of_ones_own_are_checked() -> None:
    events = DepthEvents.of(FRAME, **GRID)
    with pytest.raises(BacktestError, match="event 2 has an event time below the one before it"):
        DepthEvents(events.rows[[0, 2, 1, 3]])
    changed = events.rows.copy()
    changed["ts_received_ns"][0] = 20
    with pytest.raises(BacktestError, match="event 1 has a receive time below the one before it"):
        DepthEvents(changed)


# Binance


def diff(ms: int, first: int, last: int, before: int | None, bids: str = "", asks: str = "") -> str:
    chain = "" if before is None else f',"pu":{before}'
    data = f'"e":"depthUpdate","E":{ms},"T":{ms},"s":"BTCUSDT","U":{first},"u":{last}{chain},"b":[{bids}],"a":[{asks}]'
    return f'{ms * 10**6} {{"stream":"btcusdt@depth@0ms","data":{{{data}}}}}'


def trade(ms: int, is_sell: bool, market: str = "MARKET", symbol: str = "BTCUSDT") -> str:
    said = str(is_sell).lower()
    data = f'"e":"trade","E":{ms},"T":{ms},"s":"{symbol}","t":1,"p":"10.5","q":"2","X":"{market}","m":{said}'
    return f'{ms * 10**6} {{"stream":"btcusdt@trade","data":{{{data}}}}}'


def snapshot(ms: int, last: int) -> str:
    return f'{ms * 10**6} {{"lastUpdateId":{last},"E":{ms},"T":{ms},"bids":[["10.0","1"]],"asks":[["11.0","2"]]}}'


TICKER = '5000000 {"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":9,"s":"BTCUSDT","b":"1","B":"1"}}'
BID, ASK = '["9.5","3"]', '["11.5","4"]'
FUTURES = [
    diff(1, 1, 5, 0, BID),  # ends before the snapshot
    trade(1, True),  # from before it
    diff(3, 8, 12, 5, BID),  # was on its way with it
    TICKER,
    snapshot(4, 10),
    trade(5, True),
    trade(5, True, "INSURANCE_FUND"),
    diff(6, 13, 20, 12, "", ASK),
    "",
    trade(7, False),
]
SNAPSHOT = [(3, 4, 4, 0, 0.0), (3, 4, 0, 20, 1.0), (3, 4, 1, 22, 2.0)]


def file_of(folder: Path, lines: list[str], packed: bool = False) -> Path:
    path = folder / "recorded"
    text = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    return path


def in_ms(events: DepthEvents) -> list[tuple[Any, ...]]:
    return [(row[0] // 10**6, row[1] // 10**6, *row[2:]) for row in rows(events)]


@pytest.mark.parametrize("packed", [False, True])
def test_a_futures_book_begins_with_its_snapshot(packed: bool, tmp_path: Path) -> None:
    events = read_binance(file_of(tmp_path, FUTURES, packed), tick_size=0.5, lot_size=1)
    rest = [(3, 4, 0, 19, 3.0), (5, 5, 3, 21, 2.0), (6, 6, 1, 23, 4.0), (7, 7, 2, 21, 2.0)]
    assert in_ms(events) == SNAPSHOT + rest


def test_a_spot_book_counts_on(tmp_path: Path) -> None:
    lines = [diff(3, 8, 10, None, BID), diff(3, 11, 12, None, BID), snapshot(4, 10), diff(6, 13, 20, None, "", ASK)]
    events = read_binance(file_of(tmp_path, lines), tick_size=0.5, lot_size=1)
    assert in_ms(events) == [*SNAPSHOT, (3, 4, 0, 19, 3.0), (6, 6, 1, 23, 4.0)]


def test_a_gap_is_an_error_or_ends_the_book(tmp_path: Path) -> None:
    lines = [*FUTURES, diff(8, 31, 40, 30, BID), trade(9, True), diff(10, 41, 50, 40, BID), snapshot(11, 45)]
    path = file_of(tmp_path, lines)
    with pytest.raises(BacktestError, match='recorded, line 11: a diff from update 31 does not continue 20; gaps="cl'):
        read_binance(path, tick_size=0.5, lot_size=1)
    events = read_binance(path, tick_size=0.5, lot_size=1, gaps="clear")
    again = [(8, 8, 4, 0, 0.0), (10, 11, 4, 0, 0.0), (10, 11, 0, 20, 1.0), (10, 11, 1, 22, 2.0), (10, 11, 0, 19, 3.0)]
    assert in_ms(events)[7:] == again


def test_clocks(tmp_path: Path) -> None:
    path = file_of(tmp_path, FUTURES)
    moved = read_binance(path, tick_size=0.5, lot_size=1, clock_offset_ns=7)
    assert (moved.ts_received_ns - moved.ts_event_ns).tolist()[-1] == 7
    constant = read_binance(path, tick_size=0.5, lot_size=1, feed_latency_ns=9)
    assert set((constant.ts_received_ns - constant.ts_event_ns).tolist()) == {9}
    with pytest.raises(BacktestError, match="give one"):
        read_binance(path, tick_size=0.5, lot_size=1, feed_latency_ns=9, clock_offset_ns=1)
    with pytest.raises(BacktestError, match="feed_latency_ns=-1 is below 0"):
        read_binance(path, tick_size=0.5, lot_size=1, feed_latency_ns=-1)
    with pytest.raises(BacktestError, match="before it happened"):
        read_binance(path, tick_size=0.5, lot_size=1, clock_offset_ns=-1)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (FUTURES[:4], "recorded has no depth snapshot that its diffs continue"),
        (["nonsense"], "recorded, line 1: no receive time before the frame"),
        (["12 {nonsense"], "recorded, line 1: no frame of depth or trades"),
    ],
)
def test_a_mistake_in_a_file_is_a_line(lines: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(BacktestError, match=message):
        read_binance(file_of(tmp_path, lines), tick_size=0.5, lot_size=1)


def test_two_symbols_in_a_file(tmp_path: Path) -> None:
    path = file_of(tmp_path, [*FUTURES, trade(9, True, symbol="ETHUSDT")])
    with pytest.raises(BacktestError, match="recorded, line 11: has ETHUSDT beside BTCUSDT; say which with symbol="):
        read_binance(path, tick_size=0.5, lot_size=1)
    assert len(read_binance(path, tick_size=0.5, lot_size=1, symbol="btcusdt")) == 7


def test_a_torn_file(tmp_path: Path) -> None:
    path = file_of(tmp_path, FUTURES, packed=True)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(BacktestError, match=r"recorded, after line \d+: the file can not be read any further"):
        read_binance(path, tick_size=0.5, lot_size=1)


def test_what_to_do_about_gaps_is_one_of_two(tmp_path: Path) -> None:
    with pytest.raises(BacktestError, match="gaps='skip'; it is"):
        read_binance(file_of(tmp_path, FUTURES), tick_size=0.5, lot_size=1, gaps="skip")


# Tardis

DEPTH_CSV = """exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
x,A,1000,2000,true,bid,10,4
x,A,1000,2000,true,ask,11,5
x,A,3000,3500,false,bid,10,0
x,A,6000,6500,true,ask,12,5
"""
TRADES_CSV = """exchange,symbol,timestamp,local_timestamp,id,side,price,amount
x,A,2500,2600,1,buy,11,1
x,A,5000,5500,2,unknown,11,1
x,A,5000,5600,3,sell,10,2
"""


def test_a_snapshot_of_tardis_begins_a_new_book(tmp_path: Path) -> None:
    depth, trades = tmp_path / "depth.csv", tmp_path / "trades.csv"
    depth.write_text(DEPTH_CSV)
    trades.write_text(TRADES_CSV)
    events = read_tardis(depth, trades=trades, tick_size=1, lot_size=1)
    assert in_ms(events) == [
        (1, 2, 4, 0, 0.0), (1, 2, 0, 10, 4.0), (1, 2, 1, 11, 5.0), (2, 2, 2, 11, 1.0), (3, 3, 0, 10, 0.0),
        (5, 5, 3, 10, 2.0), (6, 6, 4, 0, 0.0), (6, 6, 1, 12, 5.0),
    ]  # fmt: skip
    assert len(read_tardis(depth, tick_size=1, lot_size=1)) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TRADES_CSV, "depth.csv has no column is_snapshot"),
        (DEPTH_CSV + "x,B,7000,7000,false,bid,1,1\n", "depth.csv has 2 symbols; give a file of one"),
        (DEPTH_CSV.replace("3500", "soon"), "depth.csv: "),
        (DEPTH_CSV.replace("false,bid", "false,buy"), "depth.csv has a side of 'buy'; it is bid or ask"),
    ],
)
def test_a_mistake_in_a_csv_is_a_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "depth.csv").write_text(text)
    with pytest.raises(BacktestError, match=message):
        read_tardis(tmp_path / "depth.csv", tick_size=1, lot_size=1)


# the catalogue


def test_quotes_are_a_book_of_one_level() -> None:
    quotes = pl.DataFrame(
        {
            "ts_event_ns": [1, 2, 3, 4],
            "ts_received_ns": [1, 2, 3, 4],
            "bid": [10.0, 11.0, None, 11.0],
            "bid_size": [1.0, 2.0, None, 0.0],
            "ask": [12.0, 13.0, 13.0, 5.0],
            "ask_size": [1.0, 1.0, 4.0, 1.0],
            "flags": [0, 0, 0, 4],
        },
        schema_overrides={"flags": pl.UInt8},
    )
    trades = pl.DataFrame(
        {
            "ts_event_ns": [2, 3, 3, 3],
            "ts_received_ns": [2, 3, 3, 3],
            "price": [10.0, 13.0, 13.0, 13.0],
            "size": [1.0, 2.0, 3.0, 4.0],
            "flags": [2, 1, 0, 5],
        },
        schema_overrides={"flags": pl.UInt8},
    )
    events = from_ticks(quotes, trades, tick_size=1, lot_size=1)
    assert [row[:1] + row[2:] for row in rows(events)] == [
        (1, 0, 10, 1.0), (1, 1, 12, 1.0),
        (2, 3, 10, 1.0), (2, 0, 10, 0.0), (2, 1, 12, 0.0), (2, 0, 11, 2.0), (2, 1, 13, 1.0),
        (3, 2, 13, 2.0), (3, 1, 13, 4.0),
    ]  # fmt: skip
    assert len(from_ticks(quotes, tick_size=1, lot_size=1)) == 7
    with pytest.raises(BacktestError, match="quotes have no column bid;"):
        from_ticks(quotes.drop("bid"), tick_size=1, lot_size=1)


def test_a_side_that_is_empty_is_gone() -> None:
    quotes = {"ts_event_ns": [1, 2], "ts_received_ns": [1, 2], "bid": [10.0, 10.0], "bid_size": [1.0, 0.0]}
    frame = pl.DataFrame(quotes | {"ask": [None, None], "ask_size": [None, None], "flags": [0, 0]})
    events = from_ticks(
        frame.cast({"flags": pl.UInt8, "ask": pl.Float64, "ask_size": pl.Float64}), tick_size=1, lot_size=1
    )
    assert np.array_equal(events.lots, [1.0, 0.0])
