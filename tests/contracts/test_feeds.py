"""What every feed owes, whatever its kind."""

import asyncio
import gzip
import math
import re
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradingd.columns import BAR_KINDS, FRAME, QUOTE, TICK_COLUMNS, TRADE, TickBatch
from tradingd.events import ClockAdvanced, FeedState, FeedStatus, Gap, Input, InputRejected
from tradingd.feeds.build import build_feed
from tradingd.feeds.contract import Feed, Item
from tradingd.feeds.settings import FeedSettings
from tradingd.instruments import AssetClass, Instrument

SOURCE = 3
INSTRUMENTS = [
    Instrument(id=name, asset_class=AssetClass.SPOT, tick_size=0.01, lot_size=0.001, currency="USD")
    for name in ("X:BTCUSDT", "X:ETHUSDT", "X:OTHER")
]
KINDS = ("bars", "binance", "csv", "csv_gz", "json", "parquet", "simulated", "paced")


def trade_line(ns: int, trade_id: int, price: str = "100.5", symbol: str = "btcusdt") -> str:
    data = f'"e":"trade","E":{ns // 10**6},"T":{ns // 10**6 + 1270},"s":"X","t":{trade_id},"p":"{price}","q":"0.5"'
    return f'{ns} {{"stream":"{symbol}@trade","data":{{{data},"X":"MARKET","m":true}}}}'


def quote_line(ns: int, update_id: int, bid: str = "100.4", symbol: str = "btcusdt") -> str:
    data = f'"u":{update_id},"s":"X","b":"{bid}","B":"1.5","a":"100.6","A":"0.0"'
    return f'{ns} {{"stream":"{symbol}@bookTicker","data":{{{data}}}}}'


def depth_line(ns: int, update_id: int) -> str:
    data = f'"e":"depthUpdate","E":{ns // 10**6},"u":{update_id},"b":[],"a":[["1.0","2"]]'
    return f'{ns} {{"stream":"btcusdt@depth@0ms","data":{{{data}}}}}'


def binance_lines(start: int, symbol: str) -> list[str]:
    lines = []
    for k in range(60):
        ns = start + k * 1_000_000
        lines += [
            trade_line(ns, 1000 + k + 5 * (k > 30), symbol=symbol),
            quote_line(ns + 10, 5000 + 7 * k, symbol=symbol),
        ]
        if k % 9 == 0:
            lines += [
                trade_line(ns + 20, 1000 + k, symbol=symbol),
                "garbage",
                quote_line(ns, 10**6, bid="0", symbol=symbol),
            ]
        if k % 11 == 0 and symbol == "btcusdt":
            lines += [depth_line(ns + 30, 5000 + 7 * k), f"{ns + 40} " + '{"stream":"nonesuch@trade","data":{}}']
    return lines


def write_binance(folder: Path) -> dict:
    (folder / "a.raw").write_text("\n".join(binance_lines(1_700_000_000_000_000_000, "btcusdt")) + "\n")
    with gzip.open(folder / "b.raw.gz", "wt") as file:
        file.write("\n".join(binance_lines(1_700_000_000_000_500_000, "ethusdt")))
    files = [{"path": "a.raw", "venue": "X"}, {"path": "b.raw.gz", "venue": "X"}]
    return {"kind": "binance_recorded", "files": files}


CSV_ROWS = [
    "ts,bid,bid_size,ask,ask_size,odd",
    *(f"{1_700_000_000_000 + 3 * k},{100 + k / 4},{k + 1},,0,{k % 2}" for k in range(80)),
    "1700000000300,,0,101.25,-0.0,0",
    "not a time,100,1,101,1,0",
    "1700000000303,NaN,1,101,1,0",
    "1700000000304,100,1",
    "",
    "1700000000305,100,1,101,1,0,7",
    "1700000000306,100,-1,101,1,0",
    "1700000000200,100,1,99,1,0",
]
CSV_COLUMNS = {"ts_event": "ts", "bid": "bid", "bid_size": "bid_size", "ask": "ask", "ask_size": "ask_size"}
CSV_SPEC = {"instrument": "X:BTCUSDT", "ts_unit": "ms", "columns": CSV_COLUMNS, "ineligible": "odd"}


def write_csv(folder: Path) -> dict:
    (folder / "q.csv").write_text("\n".join(CSV_ROWS) + "\n")
    return {"kind": "file", "files": [{"path": "q.csv", **CSV_SPEC}]}


def write_csv_gz(folder: Path) -> dict:
    """Two files of one kind and one of another, merged."""
    with gzip.open(folder / "q.csv.gz", "wt") as file:
        file.write("\n".join(CSV_ROWS))
    other = {"path": "q.csv.gz", **CSV_SPEC, "instrument": "X:ETHUSDT"}
    return {"kind": "file", "files": [{"path": "q.csv.gz", **CSV_SPEC}, other]}


def write_json(folder: Path) -> dict:
    rows = [[1_700_000_000_000 + k, str(k), "buy" if k % 3 else "sell", 1.1 + k, k] for k in range(50)]
    rows[7] = [1_700_000_000_007, "7", "both", 1.0, 1.0]
    rows[9] = [1, 2]
    with gzip.open(folder / "t.json.gz", "wb") as file:
        file.write(msgspec.json.encode(rows))
    columns = {"ts_event": "0", "venue_id": "1", "side": "2", "price": "3", "size": "4"}
    return {
        "kind": "file",
        "files": [{"path": "t.json.gz", "instrument": "X:OTHER", "ts_unit": "ms", "columns": columns}],
    }


def write_parquet(folder: Path) -> dict:
    frame = pl.DataFrame(
        {
            "time": [1_700_000_000_000_000 + k for k in range(50)],
            "symbol": ["BTCUSDT" if k % 2 else "NONE" if k == 10 else "OTHER" for k in range(50)],
            "price": [None if k == 20 else -0.0 if k == 21 else 5.0 + k for k in range(50)],
            "size": [math.nan if k == 22 else 1.0 for k in range(50)],
        },
        schema_overrides={"price": pl.Float64},
    ).with_columns(pl.col("time").cast(pl.Datetime("us")))
    frame.write_parquet(folder / "t.parquet")
    columns = {"ts_event": "time", "symbol": "symbol", "price": "price", "size": "size"}
    return {"kind": "file", "files": [{"path": "t.parquet", "venue": "X", "ts_unit": "us", "columns": columns}]}


def write_bars(folder: Path) -> dict:
    """Two instruments; the bars of one are half as many."""
    opened = pl.Series([1_700_000_040_000_000_000 + 60_000_000_000 * k for k in range(40)])
    prices = dict.fromkeys(("open", "high", "low", "close"), 100.0)
    frame = pl.DataFrame({"ts_open_ns": opened, "ts_close_ns": opened + 60_000_000_000}).with_columns(**prices)
    frame.write_parquet(folder / "a.parquet")
    frame.head(20).write_csv(folder / "b.csv")
    names = {"a.parquet": "X:BTCUSDT", "b.csv": "X:OTHER"}
    files = [{"path": path, "instrument": name, "timeframe": "1m"} for path, name in names.items()]
    return {"kind": "bars", "files": files}


def write_simulated(_folder: Path) -> dict:
    markets = [{"instrument": "X:BTCUSDT", "price": 100.0}, {"instrument": "X:ETHUSDT", "price": 10.0}]
    common = {"start": "2026-01-05T09:30:00Z", "duration_s": 100, "ticks_per_s": 3, "instruments": markets}
    return {"kind": "simulated", "seed": 1, **common}


def write_paced(folder: Path) -> dict:
    return {**write_binance(folder), "pace": "recorded", "speed": 1e6}


ROWS = {
    "bars": 180,
    "binance": 294,
    "paced": 294,
    "csv": 88,
    "csv_gz": 176,
    "json": 50,
    "parquet": 50,
    "simulated": 300,
}
WRITERS: dict[str, Callable[[Path], dict]] = {name: globals()[f"write_{name}"] for name in KINDS}


@pytest.fixture(scope="module", params=KINDS)
def make_feed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Feed]:
    """A maker of the same feed over and over, by batch size."""
    folder = tmp_path_factory.mktemp(request.param)
    written = {"name": "feed", **WRITERS[request.param](folder)}

    def make(batch_rows: int) -> Feed:
        return build_feed(
            msgspec.convert(written | {"batch_rows": batch_rows}, FeedSettings), SOURCE, INSTRUMENTS, folder
        )

    return make


def run(feed: Feed, resume_after: int = 0) -> list[list[Item]]:
    async def collect() -> list[list[Item]]:
        async with aclosing(feed.batches(resume_after)) as batches:
            return [items async for items in batches]

    return asyncio.run(collect())


def entries(batches: list[list[Item]]) -> list[tuple]:
    """One per data row, gaps with the row that they precede."""
    result: list[tuple] = []
    gaps: tuple[Gap, ...] = ()
    for item in (item for items in batches for item in items):
        if isinstance(item, TickBatch):
            for row in rows_of(item):
                result.append((gaps, row))
                gaps = ()
        elif isinstance(item.body, InputRejected):
            result.append((gaps, item))
            gaps = ()
        elif isinstance(item.body, Gap):
            gaps += (item.body,)
    return result


def rows_of(ticks: TickBatch) -> list[tuple]:
    frames = iter(ticks.frames)
    columns = [getattr(ticks, name).tolist() for name in TICK_COLUMNS]
    return [
        (*("absent" if math.isnan(value) else value for value in row), next(frames) if row[0] == FRAME else None)
        for row in zip(*columns, strict=True)
    ]


def ticks_of(batches: list[list[Item]]) -> list[TickBatch]:
    return [item for items in batches for item in items if isinstance(item, TickBatch)]


def statuses_of(batches: list[list[Item]]) -> list[Input]:
    return [
        item for items in batches for item in items if isinstance(item, Input) and isinstance(item.body, FeedStatus)
    ]


def test_begins_connected_and_ends_done_with_its_counts(make_feed: Callable[[int], Feed]) -> None:
    batches = run(make_feed(20_000))
    first, last = batches[0][0], batches[-1][-1]
    assert [status.body.state for status in statuses_of(batches)] == [FeedState.CONNECTED, FeedState.DONE]
    assert [first, last] == statuses_of(batches)
    assert last.body.detail.startswith(f"{len(entries(batches))} rows: ")
    assert first.ts_received_ns == first_ns(batches)
    assert first.source == last.source == "feed"


def test_each_row_read_is_one_row_given(make_feed: Callable[[int], Feed], request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["make_feed"]
    assert len(entries(run(make_feed(100)))) == ROWS[kind]


def first_ns(batches: list[list[Item]]) -> int:
    item = next(item for items in batches for item in items if not isinstance(getattr(item, "body", None), FeedStatus))
    return int(item.ts_received_ns[0]) if isinstance(item, TickBatch) else item.ts_received_ns


def test_resumes_at_any_row_as_if_it_had_never_stopped(make_feed: Callable[[int], Feed]) -> None:
    whole = entries(run(make_feed(50)))
    assert len(whole) >= 50

    @settings(max_examples=12, deadline=None)
    @given(resume_after=st.integers(0, len(whole)), batch_rows=st.sampled_from([1, 7, 64, 20_000]))
    def resumed(resume_after: int, batch_rows: int) -> None:
        batches = run(make_feed(batch_rows), resume_after)
        assert entries(batches) == whole[resume_after:]
        resumed = f"resumed after {resume_after} rows, " if resume_after else ""
        told = statuses_of(batches)[0].body.detail
        assert re.fullmatch(rf"{resumed}inputs [0-9a-f]{{16}}( of \d+ bytes)?", told)
        make_feed(50).inputs.check("feed", told, resume_after)

    resumed()


def test_a_cursor_beyond_the_end_is_said(make_feed: Callable[[int], Feed]) -> None:
    rows = len(entries(run(make_feed(50))))
    connected, lost, done = statuses_of(run(make_feed(50), rows + 2))
    assert connected.body.state is FeedState.CONNECTED
    assert lost.body.state is FeedState.DISCONNECTED
    assert "2 more rows" in lost.body.detail
    assert done.body.state is FeedState.DONE


@pytest.mark.parametrize("batch_rows", [1, 10, 100])
def test_batches_are_bounded_and_never_empty(make_feed: Callable[[int], Feed], batch_rows: int) -> None:
    for ticks in ticks_of(run(make_feed(batch_rows))):
        assert 1 <= len(ticks) <= batch_rows
        assert ticks.source == SOURCE


def test_values_are_canonical(make_feed: Callable[[int], Feed]) -> None:
    for ticks in ticks_of(run(make_feed(100))):
        for name in ("price", "size", "ask_price", "ask_size"):
            for value in getattr(ticks, name).tolist():
                assert not math.isinf(value)
                assert math.copysign(1, value) > 0 or math.isnan(value)
        assert set(ticks.kind.tolist()) <= {TRADE, QUOTE, FRAME, *BAR_KINDS}
        assert len(ticks.frames) == ticks.kind.tolist().count(FRAME)
        trades = ticks.kind == TRADE
        assert not (ticks.price[trades] <= 0).any()
        assert all(math.isnan(value) for value in ticks.ask_price[trades].tolist())


def test_nothing_but_inputs_that_a_feed_may_send(make_feed: Callable[[int], Feed]) -> None:
    for item in (item for items in run(make_feed(100)) for item in items if isinstance(item, Input)):
        assert isinstance(item.body, FeedStatus | Gap | InputRejected | ClockAdvanced)
        assert item.ts_event_ns == item.ts_received_ns


def test_rejected_rows_are_counted_and_say_where(make_feed: Callable[[int], Feed]) -> None:
    batches = run(make_feed(100))
    rejected = [row for _, row in entries(batches) if isinstance(row, Input)]
    assert f"{len(rejected)} rejected" in statuses_of(batches)[-1].body.detail
    for item in rejected:
        assert item.body.where.rpartition(":")[2].isdigit()
        assert item.body.reason
        assert len(item.body.text) <= 200


def test_closing_early_is_quiet(make_feed: Callable[[int], Feed]) -> None:
    async def take_one() -> None:
        async with aclosing(make_feed(1).batches(0)) as batches:
            async for _items in batches:
                break

    asyncio.run(take_one())
