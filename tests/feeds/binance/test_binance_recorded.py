"""Recorded files: all real frames accounted for, order, gaps, and files that are not as they should be."""

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tradingd.columns import FRAME, QUOTE, TRADE, TickBatch, concat_ticks
from tradingd.events import FeedState, FeedStatus, Gap, Input, InputRejected
from tradingd.feeds import times
from tradingd.feeds.binance.recorded import recorded_feed
from tradingd.feeds.contract import FeedConfigError, Item
from tradingd.feeds.settings import BinanceRecordedSettings, RecordedFile
from tradingd.instruments import AssetClass, Instrument

T0 = 1_700_000_000_000_000_000
NOW_NS = T0 + 10**17  # of the one who reads the recordings: three years later
RECORDINGS = [f"{venue}:{symbol}" for venue in ("usdm", "spot") for symbol in ("BTCUSDT", "ETHUSDT")]


def instruments(*names: str) -> list[Instrument]:
    return [
        Instrument(id=name, asset_class=AssetClass.SPOT, tick_size=0.01, lot_size=0.001, currency="USDT")
        for name in names
    ]


def trade(at: int, trade_id: int, price: str = "5", kind: str = "MARKET", event_ms: int = T0 // 10**6 + 1) -> str:
    data = f'"t":{trade_id},"p":"{price}","q":"1","T":{event_ms},"m":true,"X":"{kind}"'
    return f'{T0 + at} {{"stream":"btcusdt@trade","data":{{{data}}}}}'


def quote(at: int, update_id: int, bid: str = "4", ask: str = "6") -> str:
    data = f'"u":{update_id},"b":"{bid}","B":"1","a":"{ask}","A":"1"'
    return f'{T0 + at} {{"stream":"btcusdt@bookTicker","data":{{{data}}}}}'


def depth(at: int, update_id: int) -> str:
    return f'{T0 + at} {{"stream":"btcusdt@depth","data":{{"u":{update_id},"E":{T0 // 10**6}}}}}'


def items_of(folder: Path, *files: Iterable[str], **changes: Any) -> list[Item]:
    for number, lines in enumerate(files):
        (folder / f"{number}.raw").write_text("\n".join(lines) + "\n")
    settings = BinanceRecordedSettings(
        name="rec",
        files=tuple(RecordedFile(path=f"{number}.raw", venue="X") for number in range(len(files))),
        **changes,
    )
    batches = recorded_feed(settings, 0, instruments("X:BTCUSDT"), folder, NOW_NS).items(0)
    return [item for items in batches for item in items]


def ticks_of(items: Iterable[Item]) -> list[TickBatch]:
    return [item for item in items if isinstance(item, TickBatch)]


def bodies(items: Iterable[Item], kind: type) -> list:
    return [item.body for item in items if isinstance(item, Input) and isinstance(item.body, kind)]


@pytest.mark.realdata
def test_all_recorded_frames_are_accounted_for(realdata: Path) -> None:
    files = tuple(
        RecordedFile(path=f"ticks/binance_{venue}_{symbol.lower()}_20240808.raw.gz", venue=venue)
        for venue, symbol in (name.split(":") for name in RECORDINGS)
    )
    feed = recorded_feed(
        BinanceRecordedSettings(name="rec", files=files), 0, instruments(*RECORDINGS), realdata, NOW_NS
    )
    items = [item for items in feed.items(0) for item in items]
    ticks = concat_ticks(ticks_of(items))
    assert len(ticks) == 243_476
    counts = {
        name: [
            int(np.count_nonzero((ticks.instrument == index) & (ticks.kind == kind))) for kind in (TRADE, QUOTE, FRAME)
        ]
        for index, name in enumerate(RECORDINGS)
    }
    assert counts == {
        "usdm:BTCUSDT": [21_313, 66_089, 6_552],
        "usdm:ETHUSDT": [14_076, 53_992, 6_587],
        "spot:BTCUSDT": [9_757, 28_040, 3_452],
        "spot:ETHUSDT": [6_106, 24_077, 3_435],
    }
    assert (np.diff(ticks.ts_received_ns) >= 0).all()
    assert len(ticks.frames) == 20_026
    assert bodies(items, InputRejected) == bodies(items, Gap) == []
    assert bodies(items, FeedStatus)[-1].detail == (
        "243476 rows: 51252 trades, 172198 quotes, 20026 frames, 0 rejected; 0 gaps; "
        "clock drift -1.269 s (median of received - event)"
    )


def test_files_are_merged_by_receive_time_and_ties_go_by_their_order(tmp_path: Path) -> None:
    trades = [trade(0, 1), trade(20, 2), trade(20, 3)]
    quotes = [quote(0, 1), quote(10, 2), quote(20, 3), quote(15, 4), quote(30, 5)]
    (ticks,) = ticks_of(items_of(tmp_path, trades, quotes))
    assert ["-TQ"[kind] + str(venue_id) for kind, venue_id in zip(ticks.kind, ticks.venue_id, strict=True)] == [
        "T1", "Q1", "Q2", "T2", "T3", "Q3", "Q4", "Q5",
    ]  # fmt: skip


def test_a_hole_in_the_trade_ids_is_a_gap_before_the_trade_that_showed_it(tmp_path: Path) -> None:
    items = items_of(tmp_path, [trade(0, 7), trade(1, 8), trade(2, 12)])
    assert [type(getattr(item, "body", item)) for item in items] == [FeedStatus, TickBatch, Gap, TickBatch, FeedStatus]
    assert bodies(items, Gap) == [Gap("rec", 0, 3, "trade ids from 9 to 11")]


def test_a_faulty_trade_is_not_a_missing_one_and_its_id_is_not_believed(tmp_path: Path) -> None:
    items = items_of(tmp_path, [trade(0, 7), trade(1, 8, "0"), trade(2, 9), trade(3, 10**9, "-1"), trade(4, 11)])
    assert [body.reason for body in bodies(items, InputRejected)] == ["trade at price zero", "price not above zero"]
    assert bodies(items, Gap) == []


def test_a_trade_seen_before_is_rejected_also_from_another_file(tmp_path: Path) -> None:
    items = items_of(tmp_path, [trade(0, 7), trade(5, 9)], [trade(1, 7), trade(2, 8)])
    (rejected,) = bodies(items, InputRejected)
    assert (rejected.where, rejected.reason) == ("1.raw:1", "trade id 7 was seen or passed already (last 7)")
    assert bodies(items, Gap) == []


def test_an_absurd_trade_id_is_the_odd_one_and_not_the_trades_after_it(tmp_path: Path) -> None:
    # given an id that no market could have come to, between two that follow each other
    items = items_of(tmp_path, [trade(0, 7), trade(1, 8), trade(2, 2**62), trade(3, 10), trade(4, 11)])
    # then it alone is rejected, and the trade that it was is not a missing one
    (rejected,) = bodies(items, InputRejected)
    assert (rejected.where, rejected.reason) == (
        "0.raw:3",
        f"trade id {2**62} leaps ahead of the last (8); believed only if the next one follows it",
    )
    assert [tick.venue_id.tolist() for tick in ticks_of(items)] == [[7, 8], [10, 11]]
    assert bodies(items, Gap) == []


def test_a_leap_that_the_next_trade_confirms_is_a_gap(tmp_path: Path) -> None:
    far = 5_000_000
    items = items_of(tmp_path, [trade(0, 7), trade(1, far), trade(2, far + 1), trade(3, far + 2)])
    assert [body.where for body in bodies(items, InputRejected)] == ["0.raw:2"]
    assert bodies(items, Gap) == [Gap("rec", 0, far - 8, f"trade ids from 8 to {far}")]
    assert [tick.venue_id.tolist() for tick in ticks_of(items)] == [[7], [far + 1, far + 2]]


def test_ids_may_go_as_far_ahead_as_time_did(tmp_path: Path) -> None:
    """After an hour without a connection no trade is doubted."""
    items = items_of(tmp_path, [trade(0, 7), trade(1, 8), trade(3600 * 10**9, 5_000_000)])
    assert bodies(items, InputRejected) == []
    assert bodies(items, Gap)[0].missed == 5_000_000 - 9


def test_an_absurd_first_id_is_not_what_later_ones_are_measured_by(tmp_path: Path) -> None:
    items = items_of(tmp_path, [trade(0, 2**62), trade(1, 8), trade(2, 9), quote(3, 2**62), quote(4, 5), quote(5, 6)])
    assert bodies(items, InputRejected) == bodies(items, Gap) == []


def test_an_absurd_update_id_does_not_make_later_quotes_old(tmp_path: Path) -> None:
    items = items_of(tmp_path, [quote(0, 10), quote(1, 20), quote(2, 2**60), quote(3, 400_000), quote(4, 400_001)])
    assert [body.where for body in bodies(items, InputRejected)] == ["0.raw:3"]


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 7])
def test_ids_are_judged_alike_wherever_batches_end(tmp_path: Path, batch_rows: int) -> None:
    ids = [2**61, 1, 2, 2**62, 3, 3, 2**62 + 9, 2**62 + 10, 5, 2**62 + 13, 2**61]
    lines = [trade(n, each, "0" if n == 2 else "5") for n, each in enumerate(ids)]
    whole, small = items_of(tmp_path, lines), items_of(tmp_path, lines, batch_rows=batch_rows)
    assert (bodies(small, InputRejected), bodies(small, Gap)) == (bodies(whole, InputRejected), bodies(whole, Gap))
    assert np.concatenate([tick.venue_id for tick in ticks_of(small)]).tolist() == (
        np.concatenate([tick.venue_id for tick in ticks_of(whole)]).tolist()
    )


@pytest.mark.parametrize("year", [1970, 1971, 2100, 2255])
def test_an_absurd_event_time_is_rejected_and_later_rows_are_not(tmp_path: Path, year: int) -> None:
    absurd_ms = (year - 1970) * 31_557_600_000 + 1
    items = items_of(tmp_path, [trade(0, 7), trade(1, 8, event_ms=absurd_ms), trade(2, 9), depth(3, 5)])
    (rejected,) = bodies(items, InputRejected)
    assert rejected.where == "0.raw:2"
    assert rejected.reason == times.OUTSIDE
    assert rejected.text == trade(1, 8, event_ms=absurd_ms).partition(" ")[2][: len(rejected.text)]
    assert [tick.venue_id.tolist() for tick in ticks_of(items)] == [[7], [9, 5]]
    assert [tick.ts_received_ns.tolist() for tick in ticks_of(items)] == [[T0], [T0 + 2, T0 + 3]]


def test_event_and_receive_time_may_be_apart_as_far_as_the_settings_say(tmp_path: Path) -> None:
    two_hours_on = T0 // 10**6 + 7_200_000
    lines = [trade(0, 7), trade(1, 8, event_ms=two_hours_on), trade(2, 9)]
    assert bodies(items_of(tmp_path, lines), InputRejected) == []
    (rejected,) = bodies(items_of(tmp_path, lines, time_error_s_max=3600.0), InputRejected)
    assert rejected.reason == times.APART


@pytest.mark.parametrize("ahead_s", [200_000, 80 * 31_557_600])
def test_an_absurd_receive_time_stops_no_clock(tmp_path: Path, ahead_s: int) -> None:
    """Of a quote that names no time, of one that can not be read, and of a line of another file meanwhile."""
    ahead = ahead_s * 10**9
    items = items_of(tmp_path, [quote(0, 1), quote(ahead, 2), f"{T0 + ahead} junk", quote(9, 3)], [trade(5, 1)])
    assert [body.where for body in bodies(items, InputRejected)] == ["0.raw:2", "0.raw:3"]
    assert [tick.ts_received_ns.max() - T0 for tick in ticks_of(items)] == [0, 9]
    assert max(item.ts_received_ns for item in items if isinstance(item, Input)) == T0 + 9


def test_an_old_quote_is_rejected_and_holes_in_update_ids_are_not(tmp_path: Path) -> None:
    items = items_of(tmp_path, [quote(0, 10), quote(1, 20), quote(2, 20), quote(3, 15), quote(4, 21)])
    assert [body.where for body in bodies(items, InputRejected)] == ["0.raw:3", "0.raw:4"]
    assert [tick.venue_id.tolist() for tick in ticks_of(items)] == [[10, 20], [21]]


def test_crossed_quotes_and_a_receive_time_that_goes_back_are_kept(tmp_path: Path) -> None:
    (ticks,) = ticks_of(items_of(tmp_path, [quote(9, 1, bid="7", ask="6"), quote(0, 2), quote(5, 3)]))
    assert (ticks.ts_received_ns - T0).tolist() == [9, 0, 5]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (quote(0, 1, bid="0"), "price not above zero"),
        (quote(0, 1, ask="-1"), "price not above zero"),
        (quote(0, 1).replace('"A":"1"', '"A":"-1"'), "negative size"),
        (quote(0, 1, ask="NaN"), "not a finite number"),
        (trade(0, 1, price="Infinity"), "not a finite number"),
        (trade(0, 1).replace('"q":"1"', '"q":"0"'), "trade of size zero"),
    ],
)
def test_absurd_values_are_rejected(tmp_path: Path, line: str, what: str) -> None:
    (rejected,) = bodies(items_of(tmp_path, [line]), InputRejected)
    assert what in rejected.reason or "malformed" in rejected.reason
    assert rejected.where == "0.raw:1"


def test_negative_prices_are_kept_where_the_instrument_allows_them(tmp_path: Path) -> None:
    (tmp_path / "0.raw").write_text(trade(0, 1, "-37.63") + "\n" + quote(1, 1, "-38", "0") + "\n" + trade(2, 2, "0"))
    oil = Instrument(
        id="X:BTCUSDT", asset_class=AssetClass.FUTURE, tick_size=0.01, lot_size=1, currency="USD", negative_prices=True
    )
    settings = BinanceRecordedSettings(name="rec", files=(RecordedFile(path="0.raw", venue="X"),))
    items = [item for items in recorded_feed(settings, 0, [oil], tmp_path, NOW_NS).items(0) for item in items]
    assert ticks_of(items)[0].price.tolist() == [-37.63, -38.0]
    assert [body.reason for body in bodies(items, InputRejected)] == ["trade at price zero"]


def test_a_file_that_is_cut_short_gives_what_it_has_and_one_rejection(tmp_path: Path) -> None:
    lines = "\n".join(trade(k, 1 + k) for k in range(5000))
    (tmp_path / "0.raw").write_bytes(gzip.compress(lines.encode())[:-2000])
    settings = BinanceRecordedSettings(name="rec", files=(RecordedFile(path="0.raw", venue="X"),))
    items = [
        item
        for items in recorded_feed(settings, 0, instruments("X:BTCUSDT"), tmp_path, NOW_NS).items(0)
        for item in items
    ]
    rejections = bodies(items, InputRejected)
    assert "can not be read any further" in rejections[-1].reason
    assert 0 < sum(map(len, ticks_of(items))) < 5000
    assert bodies(items, FeedStatus)[-1].state is FeedState.DONE


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "no file"),
        (b"", "is empty"),
        (b"\x1f\x8b garbage", "can not read"),
        (gzip.compress(b"", mtime=0), "is empty"),
    ],
)
def test_a_file_that_can_not_be_played_is_one_clear_line_before_anything_starts(
    tmp_path: Path, content: bytes | None, what: str
) -> None:
    if content is not None:
        (tmp_path / "0.raw").write_bytes(content)
    settings = BinanceRecordedSettings(name="rec", files=(RecordedFile(path="0.raw", venue="X"),))
    with pytest.raises(FeedConfigError, match=what) as error:
        recorded_feed(settings, 0, instruments("X:BTCUSDT"), tmp_path, NOW_NS)
    assert "feed rec" in str(error.value)
    assert "\n" not in str(error.value)
