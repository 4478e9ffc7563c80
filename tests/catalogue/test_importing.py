"""Files into the catalogue: what becomes a row, what is rejected, and what has to be said."""

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradingd.catalogue.errors import CatalogueError, DataRefusedError
from tradingd.catalogue.importing import Imported
from tradingd.catalogue.shapes import SCHEMAS, Kind
from tradingd.catalogue.store import Catalogue
from tradingd.columns import AGGRESSOR_BUY, AGGRESSOR_SELL, INELIGIBLE

Bring = Callable[..., Imported]
Csv = Callable[..., Path]
MINUTE = 60 * 10**9
T0 = 1_600_000_020  # seconds; a whole minute
BARS: dict[str, Any] = {
    "format": "csv", "timeframe": "1m", "stamp": "open", "ts_format": "s", "columns": {"ts": "ts"},
}  # fmt: skip


def line(minute: int, close: float = 1.5) -> str:
    return f"{T0 + 60 * minute},1,2,0.5,{close},10"


@pytest.mark.parametrize(("stamp", "opened"), [("open", 0), ("close", -1)])
def test_the_stamp_says_which_end_of_the_bar_the_file_means(
    catalogue: Catalogue, bring: Bring, csv: Csv, stamp: str, opened: int
) -> None:
    bring(csv(line(0)), **BARS | {"stamp": stamp})
    row = catalogue.bars("US:X", "1m").row(0, named=True)
    assert row["ts_open_ns"] == T0 * 10**9 + opened * MINUTE
    assert row["ts_close_ns"] - row["ts_open_ns"] == MINUTE


def test_every_row_becomes_a_row_or_a_rejection(catalogue: Catalogue, bring: Bring, csv: Csv) -> None:
    good = [line(minute) for minute in range(3)]
    bad = ["soon,1,2,0.5,1,10", f"{T0},,2,0.5,1,10", f"{T0},1,x,0.5,1,10", f"{T0},1,2,0.5,inf,10", f"{T0},1,2,0.5,1,-1"]
    done = bring(csv(good[0], *bad, good[1], "1,2", "", good[2]), **BARS)
    assert (done.read, done.record.rows, done.rejections.count) == (10, 3, 7)
    assert done.rejections.reasons == {
        "'ts' is no time": 1,
        "open is empty": 1,
        "high is not a number": 1,
        "close is not a finite number": 1,
        "volume is below zero": 1,
        "2 fields where the header has 6": 1,
        "0 fields where the header has 6": 1,
    }
    assert done.rejections.first[0] == "bars.csv:3: 'ts' is no time: soon,1,2,0.5,1,10"
    (source,) = done.record.sources
    assert (source.rows, source.rejected, source.others) == (3, 7, 0)
    assert catalogue.bars("US:X", "1m")["ts_open_ns"].to_list() == [(T0 + 60 * n) * 10**9 for n in range(3)]


def test_strict_takes_all_or_nothing(catalogue: Catalogue, bring: Bring, csv: Csv) -> None:
    with pytest.raises(DataRefusedError, match=r"1 rows of bars.csv were rejected.*bars.csv:3"):
        bring(csv(line(0), "soon,1,2,0.5,1,10"), strict=True, **BARS)
    assert not catalogue.folder.exists()


@pytest.mark.parametrize(
    ("lines", "why"),
    [((), "there are none"), (("soon,1,2,0.5,1,10",), "all 1 were rejected.*--ts-format says how times are written")],
)
def test_no_rows_are_refused_with_the_reason(bring: Bring, csv: Csv, lines: tuple[str, ...], why: str) -> None:
    with pytest.raises(DataRefusedError, match=why):
        bring(csv(*lines), **BARS)


def test_a_rejection_is_one_line_where_lines_end_as_on_windows(bring: Bring, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_bytes(b"ts,open,high,low,close,volume\r\nsoon,1,2,0.5,1,10\r\n")
    with pytest.raises(DataRefusedError) as refused:
        bring(file, **BARS)
    assert len(str(refused.value).splitlines()) == 1


def test_the_order_of_the_file_stays(catalogue: Catalogue, bring: Bring, csv: Csv) -> None:
    bring(csv(line(2), line(0), line(0), line(1)), **BARS)
    opened = catalogue.bars("US:X", "1m")["ts_open_ns"] - T0 * 10**9
    assert (opened // MINUTE).to_list() == [2, 0, 0, 1]


def test_several_files_follow_each_other(catalogue: Catalogue, bring: Bring, csv: Csv) -> None:
    one, two = csv(line(0), name="one.csv"), csv(line(1), name="two.csv")
    done = bring(one, two, **BARS)
    assert [source.file for source in done.record.sources] == ["one.csv", "two.csv"]
    assert len(catalogue.bars("US:X", "1m")) == 2


def test_many_files_are_named_by_the_first(bring: Bring, csv: Csv) -> None:
    with pytest.raises(DataRefusedError, match=r"nothing to import from a\.csv and 2 more: "):
        bring(*(csv(name=f"{name}.csv") for name in "abc"), **BARS)


def test_files_of_different_kinds_are_refused(bring: Bring, csv: Csv) -> None:
    one = csv(f"{T0 * 1000},1,1,0", header="ts_ms,price,size,suspicious", name="one.csv")
    two = csv(f"{T0 * 1000},1,2", header="ts_ms,bid,ask", name="two.csv")
    assert bring(one, format="lean").record.name == "trades"
    assert bring(two, format="lean").record.name == "quotes"
    with pytest.raises(CatalogueError, match=r"two\.csv holds quotes, .*one\.csv trades; import them"):
        bring(one, two, format="lean")


def test_gzip_is_read_whatever_its_name_and_a_cut_one_is_told(bring: Bring, csv: Csv, tmp_path: Path) -> None:
    rows = [f"{T0 + 60 * minute},1,2,0.5,{1 + minute % 97 / 100},10" for minute in range(60_000)]
    plain = csv(*rows)
    whole, cut = tmp_path / "whole.txt", tmp_path / "cut.csv.gz"
    whole.write_bytes(gzip.compress(plain.read_bytes()))
    cut.write_bytes(whole.read_bytes()[:-20_000])
    assert bring(whole, **BARS).record.rows == 60_000
    done = bring(cut, instrument="US:CUT", **BARS)
    assert 0 < done.record.rows < 60_000
    assert any("the file can not be read any further" in reason for reason in done.rejections.reasons)


def test_a_file_of_many_instruments_gives_one(catalogue: Catalogue, bring: Bring, csv: Csv) -> None:
    lines = [f"{symbol},{line(minute)}" for minute in range(3) for symbol in ("A", "B")]
    lines += ["B,soon,1,2,0.5,1,10", "A,soon,1,2,0.5,1,10"]
    file = csv(*lines, header="symbol,ts,open,high,low,close,volume")
    done = bring(file, where=("symbol", "A"), **BARS)
    assert (done.read, done.record.rows, done.others, done.rejections.count) == (8, 3, 4, 1)
    assert done.rejections.first == ["bars.csv:9: 'ts' is no time: A,soon,1,2,0.5,1,10"]
    broken = csv(lines[0], "B,1,2", header="symbol,ts,open,high,low,close,volume", name="broken.csv")
    assert bring(broken, instrument="US:A", where=("symbol", "A"), **BARS).rejections.count == 1
    with pytest.raises(DataRefusedError, match="no row is this instrument's"):
        bring(file, instrument="US:C", where=("symbol", "C"), **BARS)
    with pytest.raises(CatalogueError, match=r"no column 'sym' for --where; it has symbol, ts"):
        bring(file, where=("sym", "A"), **BARS)


def test_closes_alone_make_no_highs(catalogue: Catalogue, bring: Bring, csv: Csv) -> None:
    file = csv("2020-01-02,1.5", header="Date,SPX")
    bring(file, format="csv", timeframe="1d", stamp="open", timezone="UTC", columns={"ts": "Date", "close": "SPX"})
    row = catalogue.bars("US:X", "1d").row(0, named=True)
    assert (row["open"], row["high"], row["low"], row["close"], row["volume"]) == (None, None, None, 1.5, None)


def test_a_date_means_the_session_that_opens_on_it(catalogue: Catalogue, bring: Bring, csv: Csv) -> None:
    """2020-03-09 is the Monday after New York's clocks went forward."""
    session = "mon-fri/09:30-16:00@America/New_York"
    file = csv("2020-03-06,1,2,0.5,1,10", "2020-03-09,1,2,0.5,1,10")
    bring(file, **BARS | {"timeframe": "1d", "ts_format": "iso", "session": session})
    opened = pl.from_epoch(catalogue.bars("US:X", "1d")["ts_open_ns"], time_unit="ns").dt.to_string("%H:%M")
    closed = pl.from_epoch(catalogue.bars("US:X", "1d")["ts_close_ns"], time_unit="ns").dt.to_string("%H:%M")
    assert (opened.to_list(), closed.to_list()) == (["14:30", "13:30"], ["21:00", "20:00"])


@pytest.mark.parametrize(
    ("stamp", "session", "opened"),
    [
        ("open", "sun-thu/17:00-17:00@UTC", "2020-01-06 17:00"),
        ("close", "sun-thu/17:00-17:00@UTC", "2020-01-05 17:00"),
        ("close", "@UTC", "2020-01-06 00:00"),
    ],
)
def test_a_date_at_the_close_means_the_session_that_ends_on_it(
    catalogue: Catalogue, bring: Bring, csv: Csv, stamp: str, session: str, opened: str
) -> None:
    asked = BARS | {"timeframe": "1d", "ts_format": "iso", "session": session, "stamp": stamp}
    bring(csv("2020-01-06,1,2,0.5,1,10"), **asked)
    found = pl.from_epoch(catalogue.bars("US:X", "1d")["ts_open_ns"], time_unit="ns").dt.to_string("%Y-%m-%d %H:%M")
    assert found.to_list() == [opened]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"format": "cvs"}, "no format 'cvs'; there are csv, yahoo"),
        ({"timeframe": None}, "--timeframe 1m"),
        ({"timeframe": "7m"}, "no timeframe '7m'"),
        ({"stamp": None}, "which end of a bar"),
        ({"ts_format": "iso"}, "--timezone"),
        ({"timezone": "Mars/Olympus"}, "unknown time zone"),
        ({"timeframe": "1d"}, "whose days"),
        ({"session": "always"}, "is no session"),
        ({"columns": {}}, "which column of .* is the time"),
        ({"columns": {"ts": "Date"}}, r"no column 'Date'; it has ts, open, high"),
        ({"columns": {"ts": "ts", "close": "last"}}, "no column 'last'"),
        ({"columns": {"ts": "ts", "close": "close", "colour": "x"}}, "bars have no 'colour'; they have ts, open,"),
        ({"columns": {"tz": "ts"}}, "bars have no 'tz'; they have ts, open, high, low, close, volume"),
        ({"ts_format": "dd.mm.yyyy"}, "--ts-format"),
    ],
)
def test_what_is_missing_or_wrong_is_named(bring: Bring, csv: Csv, asked: dict[str, Any], said: str) -> None:
    file = csv("2020-01-02 10:00,1,2,0.5,1,10")
    with pytest.raises(CatalogueError, match=said):
        bring(file, **BARS | asked)


@pytest.mark.parametrize("more", [{"timeframe": "1m"}, {"stamp": "open"}])
def test_ticks_have_no_timeframe(bring: Bring, csv: Csv, more: dict[str, str]) -> None:
    with pytest.raises(CatalogueError, match="holds trades, not bars; leave --timeframe and --stamp out"):
        bring(csv(f"{T0},1,1", header="t,px,qty"), columns={"ts": "t", "price": "px"}, **TICKS, **more)


def test_a_stamp_that_contradicts_the_format_is_refused(bring: Bring, csv: Csv) -> None:
    with pytest.raises(CatalogueError, match="freqtrade stamps the open"):
        bring(csv(line(0), header="date,open,high,low,close,volume"), format="freqtrade", timeframe="1m", stamp="close")


@pytest.mark.parametrize(
    "content", [b"", b"PAR1 and no more", b"ARROW1 and no more", b'{"Bars": 1}', b"\xff\xfe\x00\x01"]
)
def test_what_is_no_table_is_one_line(bring: Bring, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(CatalogueError, match=str(file)) as raised:
        bring(file, **BARS)
    assert "\n" not in str(raised.value)


def test_a_folder_and_nothing_are_said(bring: Bring, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="is a folder; name the files in it"):
        bring(tmp_path, **BARS)
    with pytest.raises(CatalogueError, match="there is no file"):
        bring(tmp_path / "none.csv", **BARS)


def test_the_record_says_where_rows_came_from(bring: Bring, csv: Csv) -> None:
    file = csv("2020-01-02 10:00,1,2,0.5,1,10")
    record = bring(file, **BARS | {"ts_format": None, "timezone": "America/New_York"}).record
    (source,) = record.sources
    assert (source.file, source.bytes, source.format) == ("bars.csv", file.stat().st_size, "csv")
    assert (source.timezone, source.stamp, source.ts_format) == ("America/New_York", "open", "iso")
    assert source.columns["close"] == "close"
    assert len(source.sha256) == 64


def test_tradestation_in_csv_and_as_its_api_answers(catalogue: Catalogue, bring: Bring, tmp_path: Path) -> None:
    names = ("TimeStamp", "Open", "High", "Low", "Close", "TotalVolume")
    cells = ("2020-11-16T14:31:00Z", "1", "2", "0.5", "1.5", "10")
    (tmp_path / "a.csv").write_text(f"{', '.join(names)}\n{', '.join(cells)}\n")
    (tmp_path / "b.json").write_text(json.dumps({"Bars": [dict(zip(names, cells, strict=True))]}))
    for name, instrument in (("a.csv", "TS:A"), ("b.json", "TS:B")):
        bring(tmp_path / name, instrument=instrument, format="tradestation", timeframe="1m")
    one, other = catalogue.bars("TS:A", "1m"), catalogue.bars("TS:B", "1m")
    assert one.equals(other)
    assert one["ts_close_ns"].to_list() == [1_605_537_060 * 10**9]
    assert one.row(0)[2:] == (1.0, 2.0, 0.5, 1.5, 10.0)


def test_a_mapping_reads_every_kind_of_file(catalogue: Catalogue, bring: Bring, csv: Csv, tmp_path: Path) -> None:
    frame = pl.read_csv(csv(line(0), line(1)))
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ipc(tmp_path / "a.feather")
    (tmp_path / "a.json").write_text(json.dumps([list(row) for row in frame.rows()]))
    bring(tmp_path / "bars.csv", **BARS)
    for name in ("a.parquet", "a.feather"):
        bring(tmp_path / name, instrument=f"US:{name}", **BARS)
    numbered = {role: str(n) for n, role in enumerate(("ts", "open", "high", "low", "close", "volume"))}
    bring(tmp_path / "a.json", instrument="US:a.json", **BARS | {"columns": numbered})
    for name in ("a.parquet", "a.feather", "a.json"):
        assert catalogue.bars(f"US:{name}", "1m").equals(catalogue.bars("US:X", "1m"))


TICKS: dict[str, Any] = {"format": "csv", "ts_format": "s"}


def test_trades_of_a_mapping(catalogue: Catalogue, bring: Bring, csv: Csv) -> None:
    lines = [f"{T0},100,1,buy,0", f"{T0},101,2,sell,1", f"{T0},,2,sell,0", f"{T0},-3,2,,0", f"{T0},1,2,up,0"]
    file = csv(*lines, header="t,px,qty,side,odd")
    columns = {"ts": "t", "price": "px", "size": "qty", "side": "side", "ineligible": "odd"}
    done = bring(file, columns=columns, **TICKS)
    trades = catalogue.read(done.record)
    assert trades.schema == SCHEMAS[Kind.TRADES]
    assert trades["price"].to_list() == [100, 101, -3]
    assert trades["flags"].to_list() == [AGGRESSOR_BUY, AGGRESSOR_SELL | INELIGIBLE, 0]
    assert trades["ts_received_ns"].to_list() == [T0 * 10**9] * 3
    assert done.rejections.first == [
        f"bars.csv:4: trade without a price: {T0},,2,sell,0",
        f"bars.csv:6: side is none of buy, b, sell, s, unknown: {T0},1,2,up,0",
    ]


def test_quotes_of_local_times_with_one_side(catalogue: Catalogue, bring: Bring, csv: Csv) -> None:
    file = csv("2020-01-02 07:00:00,100,,", "2020-01-02 07:00:01,,,101", header="t,bid,bs,ask")
    columns = {"ts": "t", "bid": "bid", "bid_size": "bs", "ask": "ask"}
    done = bring(file, format="csv", timezone="America/New_York", columns=columns)
    quotes = catalogue.read(done.record)
    assert quotes["ts_event_ns"][0] == 1_577_966_400 * 10**9
    assert (quotes["bid"].to_list(), quotes["ask"].to_list()) == ([100, None], [None, 101])


prices = st.floats(1e-6, 1e6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.tuples(prices, prices, prices, prices, st.none() | st.floats(0, 1e9)), min_size=1, max_size=50))
def test_what_was_exported_comes_back(
    tmp_path: Path, bring: Bring, catalogue: Catalogue, rows: list[tuple[float, ...]]
) -> None:
    opened = np.arange(len(rows)) * MINUTE + T0 * 10**9
    times = {"ts_open_ns": opened, "ts_close_ns": opened + MINUTE}
    figures = pl.DataFrame(rows, schema=dict(list(SCHEMAS[Kind.BARS].items())[2:]), orient="row")
    frame = pl.DataFrame(times).hstack(figures)
    frame.write_csv(tmp_path / "out.csv")
    bring(tmp_path / "out.csv", replace=True, **BARS | {"ts_format": "ns", "columns": {"ts": "ts_open_ns"}})
    assert catalogue.bars("US:X", "1m").equals(frame)


def test_dbn_without_its_package_says_what_to_install(
    bring: Bring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "databento_dbn", None)
    (tmp_path / "a.dbn").write_bytes(b"DBN")
    with pytest.raises(CatalogueError, match=r"a\.dbn needs a package to be read; pip install 'tradingd\[dbn\]'"):
        bring(tmp_path / "a.dbn", format="dbn")
