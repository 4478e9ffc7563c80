"""Lines to rows, without any file."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.columns import AGGRESSOR_BUY, AGGRESSOR_SELL, FRAME, INELIGIBLE, NO_VENUE_ID, QUOTE, TRADE
from tradingd.feeds.binance.parse import FrameParser
from tradingd.feeds.rows import REJECTED, Rows, concat_rows

T0 = 1_723_161_255_088_176_367
INDEXES = {"USDM:BTCUSDT": 0, "USDM:ETHUSDT": 1}
TRADE_FRAME = (
    '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256321,"s":"BTCUSDT","t":5266583935,'
    '"p":"61800.30","q":"0.006","X":"MARKET","m":false}}'
)
QUOTE_FRAME = (
    '{"stream":"ethusdt@bookTicker","data":{"e":"bookTicker","u":5123107839020,"s":"ETHUSDT","b":"2681.62","B":"1.165",'
    '"a":"2681.63","A":"73.077","T":1723161256313,"E":1723161256314}}'
)
SPOT_QUOTE_FRAME = '{"stream":"btcusdt@bookTicker","data":{"u":7,"s":"BTCUSDT","b":"1.5","B":"2","a":"1.6","A":"3"}}'
DEPTH_FRAME = (
    '{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"BTCUSDT","U":1,'
    '"u":9,"pu":0,"b":[["58710.20","0.014"]],"a":[]}}'
)
SNAPSHOT_FRAME = '{"lastUpdateId":11,"E":1723161256501,"T":1723161256493,"bids":[["1.0","2"]],"asks":[]}'


def parser(symbol: str | None = None) -> FrameParser:
    return FrameParser(file=2, venue="USDM", instruments=INDEXES, symbol=symbol)


def parse(*frames: str, symbol: str | None = None) -> Rows:
    return parser(symbol).parse([f"{T0 + i} {frame}".encode() for i, frame in enumerate(frames)])


def row(rows: Rows, number: int, *names: str) -> list[object]:
    return [rows.columns[name][number].item() for name in names]


def reason(frame: str) -> str:
    rows = parse(TRADE_FRAME, frame)
    assert list(rows.rejected) == [1]
    assert rows.columns["kind"].tolist() == [TRADE, REJECTED]
    return rows.rejected[1].reason


def test_a_trade() -> None:
    rows = parse(TRADE_FRAME)
    assert row(rows, 0, "kind", "flags", "instrument", "venue_id") == [TRADE, AGGRESSOR_BUY, 0, 5266583935]
    assert row(rows, 0, "ts_event_ns", "ts_received_ns") == [1_723_161_256_321_000_000, T0]
    assert row(rows, 0, "price", "size") == [61800.30, 0.006]
    assert np.isnan(row(rows, 0, "ask_price", "ask_size")).all()


def test_the_buyer_as_maker_means_that_the_seller_was_the_aggressor() -> None:
    assert row(parse(TRADE_FRAME.replace("false", "true")), 0, "flags") == [AGGRESSOR_SELL]


def test_a_trade_of_the_insurance_fund_is_kept_but_not_eligible() -> None:
    assert row(parse(TRADE_FRAME.replace("MARKET", "INSURANCE_FUND")), 0, "kind", "flags") == [
        TRADE,
        AGGRESSOR_BUY | INELIGIBLE,
    ]


def test_quotes_with_and_without_an_event_time() -> None:
    rows = parse(QUOTE_FRAME, SPOT_QUOTE_FRAME)
    names = ("kind", "instrument", "venue_id", "ts_event_ns", "price", "size", "ask_price", "ask_size")
    assert row(rows, 0, *names) == [
        QUOTE, 1, 5123107839020, 1_723_161_256_313_000_000, 2681.62, 1.165, 2681.63, 73.077,
    ]  # fmt: skip
    assert row(rows, 1, *names) == [QUOTE, 0, 7, T0 + 1, 1.5, 2.0, 1.6, 3.0]


def test_depth_and_snapshot_are_kept_as_they_came() -> None:
    rows = parse(DEPTH_FRAME, SNAPSHOT_FRAME)
    assert rows.columns["kind"].tolist() == [FRAME, FRAME]
    assert rows.columns["payload"].tolist() == [DEPTH_FRAME.encode(), SNAPSHOT_FRAME.encode()]
    assert rows.columns["ts_event_ns"].tolist() == [1_723_161_256_298_000_000, 1_723_161_256_493_000_000]
    assert rows.columns["venue_id"].tolist() == [9, 11]
    assert np.isnan(rows.columns["price"]).all()


def test_a_snapshot_belongs_to_the_only_symbol_before_it() -> None:
    assert row(parse(QUOTE_FRAME, SNAPSHOT_FRAME), 1, "kind", "instrument") == [FRAME, 1]
    assert row(parse(SNAPSHOT_FRAME, symbol="ETHUSDT"), 0, "kind", "instrument") == [FRAME, 1]


@pytest.mark.parametrize(("before", "symbols"), [((), 0), ((QUOTE_FRAME, TRADE_FRAME), 2)])
def test_a_snapshot_of_no_certain_symbol_is_rejected(before: tuple[str, ...], symbols: int) -> None:
    rows = parse(*before, SNAPSHOT_FRAME, DEPTH_FRAME)
    assert f"{symbols} so far; set `symbol`" in rows.rejected[len(before)].reason


def test_a_snapshot_of_an_unknown_symbol_is_rejected() -> None:
    assert parse(SNAPSHOT_FRAME, symbol="NONE").rejected[0].reason == "unknown symbol USDM:NONE"


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (TRADE_FRAME[:-5], "malformed frame"),
        (TRADE_FRAME + "}", "malformed frame"),
        (TRADE_FRAME + "," + TRADE_FRAME, "malformed frame"),
        (TRADE_FRAME.replace('"q":"0.006",', ""), "missing required field `q`"),
        (TRADE_FRAME.replace("5266583935", "-1"), "malformed frame"),
        (TRADE_FRAME.replace("5266583935", str(2**64)), "malformed frame"),
        (TRADE_FRAME.replace("1723161256321", str(2**62)), "malformed frame"),
        (TRADE_FRAME.replace('"61800.30"', "NaN"), "malformed frame"),
        (TRADE_FRAME.replace("btcusdt", "dogeusdt"), "unknown symbol USDM:DOGEUSDT"),
        (TRADE_FRAME.replace("@trade", "@aggTrade"), "unknown stream btcusdt@aggTrade"),
        (DEPTH_FRAME[:-8], "malformed frame"),
        ('{"result":null,"id":1}', "neither a stream's frame nor a depth snapshot"),
        ('{"lastUpdateId":11,"bids":[]}', "missing required field `asks`"),
        ("\udcff\udcfe".encode("utf-8", "surrogateescape").decode("latin-1"), "malformed frame"),
        ("", "malformed frame"),
        ("[1]", "malformed frame"),
    ],
)
def test_bad_frames_are_rejected_with_a_reason(frame: str, what: str) -> None:
    assert what in reason(frame)


def test_two_halves_of_a_line_are_two_rejections_not_one_trade() -> None:
    rows = parse(TRADE_FRAME[:60], TRADE_FRAME[60:], TRADE_FRAME)
    assert sorted(rows.rejected) == [0, 1]
    assert rows.columns["kind"].tolist() == [REJECTED, REJECTED, TRADE]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_never_look_absent(text: str) -> None:
    rows = parse(TRADE_FRAME.replace("61800.30", text))
    assert rows.rejected or np.isinf(row(rows, 0, "price")).all()


def test_minus_zero_is_zero() -> None:
    size = row(parse(QUOTE_FRAME.replace("1.165", "-0.000")), 0, "size")[0]
    assert str(size) == "0.0"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (TRADE_FRAME, "no receive time before the frame"),
        ("-5 " + TRADE_FRAME, "no receive time before the frame"),
        (f"{2**63} " + TRADE_FRAME, "no receive time before the frame"),
        ("1" * 5000 + " " + TRADE_FRAME, "no receive time before the frame"),
        ("17_23 " + TRADE_FRAME, "no receive time before the frame"),
        ("", "empty line"),
    ],
)
def test_lines_without_a_receive_time_are_rejected_at_the_last_one_known(line: str, what: str) -> None:
    rows = parser().parse([f"{T0} {TRADE_FRAME}".encode(), line.encode(), f"{T0 + 9} {QUOTE_FRAME}".encode()])
    assert rows.rejected[1].reason == what
    assert rows.columns["ts_received_ns"].tolist() == [T0, T0, T0 + 9]
    assert rows.columns["kind"].tolist() == [TRADE, REJECTED, QUOTE]


def test_before_any_receive_time_the_first_one_stands() -> None:
    rows = parser().parse([b"x", f"{T0} {TRADE_FRAME}".encode()])
    assert rows.columns["ts_received_ns"].tolist() == [T0, T0]


def test_an_unusually_written_frame_is_still_read() -> None:
    spaced = TRADE_FRAME.replace('{"stream":"btcusdt@trade",', '{ "stream" : "btcusdt@trade", ')
    assert row(parse(spaced), 0, "kind", "price") == [TRADE, 61800.30]
    assert row(parse(DEPTH_FRAME, SNAPSHOT_FRAME.replace('{"last', '{ "last')), 1, "kind") == [FRAME]


def test_rows_say_where_they_stood() -> None:
    rows = parse(TRADE_FRAME, "bad", QUOTE_FRAME)
    assert rows.columns["line"].tolist() == [1, 2, 3]
    assert rows.columns["file"].tolist() == [2, 2, 2]
    assert row(rows, 1, "venue_id") == [NO_VENUE_ID]


LINES = [
    f"{T0 + i} {frame}".encode()
    for i, frame in enumerate(
        [DEPTH_FRAME, SNAPSHOT_FRAME, TRADE_FRAME, "bad", QUOTE_FRAME, TRADE_FRAME[:-1], SNAPSHOT_FRAME, TRADE_FRAME]
    )
] + [b"nothing", b"", TRADE_FRAME.encode()]


@given(st.lists(st.integers(0, len(LINES)), max_size=4), st.permutations(LINES))
def test_any_split_of_the_lines_gives_the_same_rows(cuts: list[int], lines: list[bytes]) -> None:
    whole = parser().parse(lines)
    borders = [0, *sorted(cuts), len(lines)]
    piecewise = parser()
    parts = [piecewise.parse(lines[a:b]) for a, b in pairwise(borders) if b > a]
    assert_same(concat_rows(parts), whole, lines)


def assert_same(rows: Rows, expected: Rows, lines: list[bytes]) -> None:
    """But for the time of lines before the first that has one: they take it from what comes with them."""
    first_known = next(place for place, line in enumerate(lines) if line[:19].isdigit())
    good = np.flatnonzero(expected.columns["kind"] != REJECTED)
    assert dict(rows.rejected) == dict(expected.rejected)
    for name, column in expected.columns.items():
        start = first_known if name == "ts_received_ns" else 0
        places = np.arange(start, len(lines)) if name in ("ts_received_ns", "kind", "line") else good
        np.testing.assert_array_equal(rows.columns[name][places], column[places])
