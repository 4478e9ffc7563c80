"""Tick files: what they become, what of them is rejected, and settings that can not be."""

import gzip
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from tradingd.columns import INELIGIBLE, QUOTE, TRADE, TickBatch, concat_ticks
from tradingd.events import Input, InputRejected
from tradingd.feeds import reading, times
from tradingd.feeds.contract import FeedConfigError
from tradingd.feeds.feed import RowFeed
from tradingd.feeds.files.feed import file_feed
from tradingd.feeds.settings import FeedSettings
from tradingd.instruments import AssetClass, Instrument

IDS = ["US:SPY", "US:IBM", "FX:EURUSD", "FX:USDJPY", "BIN:BTC/USDT", "BIN:BTCUSDT", "BIN:ETH/USDT", "POLO:XRP/ETH"]
INSTRUMENTS = [
    Instrument(id=name, asset_class=AssetClass.SPOT, tick_size=0.01, lot_size=1.0, currency="USD") for name in IDS
]
T0_MS = 1_400_000_000_000
NOW_NS = 1_800_000_000 * 10**9
TRADES = {"ts_event": "ts", "price": "price", "size": "size"}


def feed_of(folder: Path, *files: dict) -> RowFeed:
    settings = msgspec.convert({"kind": "file", "name": "files", "files": files}, FeedSettings)
    return file_feed(settings, 0, INSTRUMENTS, folder, NOW_NS)


def read(folder: Path, *files: dict) -> tuple[TickBatch, list[InputRejected]]:
    items = [item for items in feed_of(folder, *files).items(0) for item in items]
    rejected = [item.body for item in items if isinstance(item, Input) and isinstance(item.body, InputRejected)]
    return concat_ticks([item for item in items if isinstance(item, TickBatch)]), rejected


def trades_csv(folder: Path, *lines: str, **changes: object) -> dict:
    (folder / "t.csv").write_text("\n".join(["ts,price,size,odd", *lines]) + "\n")
    return {"path": "t.csv", "instrument": "US:SPY", "ts_unit": "ms", "columns": TRADES, **changes}


REAL = {
    "spy": (
        1_887_460,
        {
            "path": "ticks/spy_trades_2013-10-07_11.csv.gz",
            "instrument": "US:SPY",
            "ts_unit": "ms",
            "columns": {"ts_event": "ts_ms", "price": "price", "size": "size"},
            "ineligible": "suspicious",
        },
    ),
    "ibm trades": (
        126_395,
        {
            "path": "ticks/ibm_trades_2013-10-07_11.csv.gz",
            "instrument": "US:IBM",
            "ts_unit": "ms",
            "columns": {"ts_event": "ts_ms", "price": "price", "size": "size"},
            "ineligible": "suspicious",
        },
    ),
    "ibm quotes": (
        135_492,
        {
            "path": "ticks/ibm_quotes_2013-10-09.csv.gz",
            "instrument": "US:IBM",
            "ts_unit": "ms",
            "columns": {
                "ts_event": "ts_ms",
                "bid": "bid",
                "bid_size": "bid_size",
                "ask": "ask",
                "ask_size": "ask_size",
            },
            "ineligible": "suspicious",
        },
    ),
    "eurusd": (
        1_144_807,
        {
            "path": "ticks/fxcm_eurusd_2014-05-01_15.csv.gz",
            "instrument": "FX:EURUSD",
            "ts_unit": "ms",
            "columns": {"ts_event": "ts_ms", "bid": "bid", "ask": "ask"},
        },
    ),
    "truefx": (
        1_000,
        {
            "path": "ticks/truefx_usdjpy_20130101.csv",
            "instrument": "FX:USDJPY",
            "ts_unit": "iso",
            "columns": {"ts_event": "timestamp", "bid": "bid", "ask": "ask"},
        },
    ),
    "orderflow": (
        1_000,
        {
            "path": "ticks/freqtrade_orderflow_public_trades.csv.gz",
            "instrument": "BIN:ETH/USDT",
            "ts_unit": "ms",
            "columns": {"ts_event": "timestamp", "price": "price", "size": "amount", "side": "side", "venue_id": "id"},
        },
    ),
    "xrp": (
        12_477,
        {
            "path": "ticks/freqtrade_XRP_ETH-trades.json.gz",
            "instrument": "POLO:XRP/ETH",
            "ts_unit": "ms",
            "columns": {"ts_event": "0", "venue_id": "1", "side": "3", "price": "4", "size": "5"},
        },
    ),
    "parquet trades": (
        2_001,
        {
            "path": "ticks/binance_btcusdt_trades_20210108.parquet",
            "instrument": "BIN:BTCUSDT",
            "ts_unit": "ms",
            "columns": {
                "ts_event": "timestamp",
                "venue_id": "trade_id",
                "buyer_maker": "buyer_maker",
                "price": "price",
                "size": "quantity",
            },
        },
    ),
    "parquet quotes": (
        451,
        {
            "path": "ticks/binance_btcusdt_quotes_20210108.parquet",
            "venue": "BIN",
            "ts_unit": "ms",
            "columns": {
                "ts_event": "timestamp",
                "symbol": "symbol",
                "bid": "bid",
                "bid_size": "bid_size",
                "ask": "ask",
                "ask_size": "ask_size",
            },
        },
    ),
    "tardis": (
        10,
        {
            "path": "ticks/tardis_binance-futures_book_snapshot_5_BTCUSDT.csv",
            "venue": "BIN",
            "ts_unit": "us",
            "columns": {
                "ts_event": "timestamp",
                "ts_received": "local_timestamp",
                "symbol": "symbol",
                "bid": "bids[0].price",
                "bid_size": "bids[0].amount",
                "ask": "asks[0].price",
                "ask_size": "asks[0].amount",
            },
        },
    ),
}


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_every_real_sample_loads_whole(realdata: Path, name: str) -> None:
    rows, spec = REAL[name]
    ticks, rejected = read(realdata, spec)
    assert rejected == []
    assert len(ticks) == rows
    assert (ticks.kind == (TRADE if "price" in spec["columns"] else QUOTE)).all()
    assert (np.diff(ticks.ts_event_ns) >= 0).all()


@pytest.mark.realdata
def test_values_are_those_that_polars_reads(realdata: Path) -> None:
    ticks, _ = read(realdata, REAL["spy"][1])
    frame = pl.read_csv(realdata / REAL["spy"][1]["path"], schema_overrides={"sale_cond": pl.String})
    np.testing.assert_array_equal(ticks.price, frame["price"])
    np.testing.assert_array_equal(ticks.size, frame["size"])
    np.testing.assert_array_equal(ticks.ts_event_ns, frame["ts_ms"] * 1_000_000)
    assert np.count_nonzero(ticks.flags == INELIGIBLE) == 10


@pytest.mark.realdata
def test_one_sided_quotes_leave_the_other_side_absent(realdata: Path) -> None:
    ticks, _ = read(realdata, REAL["ibm quotes"][1])
    bid, ask = ~np.isnan(ticks.price), ~np.isnan(ticks.ask_price)
    assert (bid ^ ask).all()
    np.testing.assert_array_equal(bid, ~np.isnan(ticks.size))
    np.testing.assert_array_equal(ask, ~np.isnan(ticks.ask_size))


@pytest.mark.realdata
def test_several_files_are_merged(realdata: Path) -> None:
    ticks, _ = read(realdata, REAL["ibm trades"][1], REAL["ibm quotes"][1])
    assert len(ticks) == 126_395 + 135_492
    assert (np.diff(ticks.ts_received_ns) >= 0).all()


def test_sizes_that_a_file_does_not_have_are_absent(tmp_path: Path) -> None:
    spec = trades_csv(tmp_path, f"{T0_MS},5.5,1,0", columns={"ts_event": "ts", "bid": "price"})
    ticks, _ = read(tmp_path, spec)
    assert ticks.price.tolist() == [5.5]
    assert np.isnan([ticks.size[0], ticks.ask_price[0], ticks.ask_size[0]]).all()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x,1,1,0", "ts is no time"),
        (",1,1,0", "ts is no time"),
        (f"{T0_MS},,1,0", "trade without a price"),
        (f"{T0_MS},one,1,0", "price is not a number"),
        (f"{T0_MS},NaN,1,0", "price is not a number"),
        (f"{T0_MS},inf,1,0", "not a finite number"),
        (f"{T0_MS},0,1,0", "trade at price zero"),
        (f"{T0_MS},-1,1,0", "price not above zero"),
        (f"{T0_MS},1,-1,0", "negative size"),
        (f"{T0_MS},1,0,0", "trade of size zero"),
        (f"{T0_MS},1,1", "3 fields where the header has 4"),
        (f"{T0_MS},1,1,0,9", "5 fields where the header has 4"),
        ("", "0 fields where the header has 4"),
        (f'{T0_MS},1,"1', "3 fields where the header has 4"),
    ],
)
def test_bad_rows_are_rejected_with_line_and_reason(tmp_path: Path, line: str, reason: str) -> None:
    ticks, rejected = read(tmp_path, trades_csv(tmp_path, f"{T0_MS},1,1,0", line, f"{T0_MS + 1},2,1,0"))
    assert ticks.price.tolist() == [1.0, 2.0]
    assert [(body.where, body.reason, body.text) for body in rejected] == [("t.csv:3", reason, line)]


DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("absurd_ms", "reason"),
    [
        (1, times.OUTSIDE),
        (4_102_444_800_000, times.OUTSIDE),  # the year 2100
        (8_990_000_000_000, times.OUTSIDE),  # the year 2254
        (T0_MS + 2 * 365 * DAY_MS, times.AHEAD),
    ],
)
def test_a_row_of_an_absurd_time_is_rejected_and_later_ones_are_not(
    tmp_path: Path, absurd_ms: int, reason: str
) -> None:
    ticks, rejected = read(tmp_path, trades_csv(tmp_path, f"{T0_MS},1,1,0", f"{absurd_ms},5,1,0", f"{T0_MS + 7},2,1,0"))
    assert [(body.where, body.reason) for body in rejected] == [("t.csv:3", reason)]
    assert rejected[0].text == f"{absurd_ms},5,1,0"
    assert (ticks.ts_received_ns // 10**6).tolist() == [T0_MS, T0_MS + 7]


def test_history_may_pause_for_years_and_go_back_between_symbols(tmp_path: Path) -> None:
    """One row a month, then one a year, then from the start again, as in a file that is sorted by symbol."""
    days = [0, 30, 61, 91, 456, 821, 1186, *range(0, 400, 31), 2000]
    ticks, rejected = read(tmp_path, trades_csv(tmp_path, *(f"{T0_MS + day * DAY_MS},1,1,0" for day in days)))
    assert (len(ticks), rejected) == (len(days), [])


def test_an_absurd_time_at_the_end_of_a_chunk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = T0_MS + 900 * DAY_MS
    at = {n: far if n % 10 == 9 else T0_MS + n for n in range(95)}
    spec = trades_csv(tmp_path, *(f"{ms},1,1,0" for ms in at.values()))
    whole = read(tmp_path, spec)[1]
    assert [int(body.where.partition(":")[2]) - 2 for body in whole] == [n for n, ms in at.items() if ms == far]
    for chunk_bytes in (20, 40, 64, 200):
        monkeypatch.setattr(reading, "CHUNK_BYTES", chunk_bytes)
        assert read(tmp_path, spec)[1] == whole


def test_quoted_fields_and_other_line_ends_are_read(tmp_path: Path) -> None:
    text = f'ts,"price",size,odd\r\n{T0_MS},1.5,1,"a,b"\r\n{T0_MS},"2.5",1,\r\n'
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    ticks, rejected = read(tmp_path, trades_csv_spec(ineligible="odd"))
    assert (ticks.price.tolist(), ticks.flags.tolist(), rejected) == ([1.5, 2.5], [INELIGIBLE, 0], [])


def trades_csv_spec(**changes: object) -> dict:
    return {"path": "t.csv", "instrument": "US:SPY", "ts_unit": "ms", "columns": TRADES, **changes}


def test_the_size_of_chunks_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{T0_MS + k},{k + 1}.25,{k % 5},{k % 2}" if k % 7 else "junk" for k in range(200)]
    spec = trades_csv(tmp_path, *lines)
    whole, whole_rejected = read(tmp_path, spec)
    monkeypatch.setattr(reading, "CHUNK_BYTES", 64)
    small, small_rejected = read(tmp_path, spec)
    np.testing.assert_array_equal(small.price, whole.price)
    assert small_rejected == whole_rejected


def test_a_file_that_is_cut_short_says_so_once(tmp_path: Path) -> None:
    text = "ts,price,size\n" + "\n".join(f"{T0_MS + k},{k + 1}.5,1" for k in range(300_000))
    (tmp_path / "t.csv").write_bytes(gzip.compress(text.encode())[:-5000])
    ticks, rejected = read(tmp_path, trades_csv_spec())
    assert 0 < len(ticks) < 300_000
    assert "can not be read any further" in rejected[-1].reason


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"path": "none.csv"}, "no file"),
        ({"instrument": "US:NONE"}, "not declared"),
        ({"instrument": None}, "give either `instrument`"),
        ({"venue": "US"}, "give either `instrument`"),
        ({"columns": TRADES | {"symbol": "odd"}}, "give either `instrument`"),
        ({"columns": TRADES | {"size": "volume"}}, "no column 'volume'; it has ts, price, size, odd"),
        ({"columns": TRADES | {"bid": "price"}}, "map either"),
        ({"columns": {"ts_event": "ts"}}, "map either"),
        ({"ineligible": "flag"}, "no column 'flag'"),
    ],
)
def test_settings_that_can_not_be_are_one_clear_line(tmp_path: Path, changes: dict, what: str) -> None:
    spec = trades_csv(tmp_path, "1000,1,1,0") | changes
    with pytest.raises(FeedConfigError, match=what) as error:
        feed_of(tmp_path, spec)
    assert str(error.value).startswith("feed files: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"ts,price,size\n", "has no rows"),
        (b"ts,price,price,size\n1,1,1,1\n", "more than one column"),
        (b"PAR1 but not really", "neither CSV, JSON rows nor Parquet"),
        (b"[]", "no column 'ts'"),
        (b"\x1f\x8b\x08 broken", "can not read"),
    ],
)
def test_files_that_can_not_be_are_one_clear_line(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(FeedConfigError, match=what):
        feed_of(tmp_path, trades_csv_spec())


def test_float_times_are_refused(tmp_path: Path) -> None:
    pl.DataFrame({"ts": [1.5], "price": [1.0], "size": [1.0]}).write_parquet(tmp_path / "t.csv")
    with pytest.raises(FeedConfigError, match="times in 'ts' are Float64"):
        feed_of(tmp_path, trades_csv_spec())
