"""SPY's five sessions of October 2013, every print of them, and the longer bars."""

from pathlib import Path

import polars as pl
import pytest
from real_day import OHLC, RealDay, bars_of, same_bars
from small_day import ROOT, re_executed

from tradingd.core.snapshot import state_digest
from tradingd.journal.verify import verify

ROWS = 1_887_460
SUSPICIOUS = 10


@pytest.fixture(scope="module")
def day(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> RealDay:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADINGD_REALDATA", str(realdata))
        longer = 'bars.timeframes=["1s", "1m", "30m", "1h", "4h", "1d"]'
        return RealDay(ROOT / "configs" / "spy.toml", tmp_path_factory.mktemp("spy") / "j", longer)


@pytest.fixture(scope="module")
def prints(realdata: Path) -> pl.DataFrame:
    """The file, read without tradingd, in its order."""
    columns = ["ts_ms", "price", "size", "suspicious"]
    table = pl.read_csv(realdata / "ticks" / "spy_trades_2013-10-07_11.csv.gz", columns=columns)
    return table.select((pl.col("ts_ms") * 1_000_000).alias("ts_ns"), "price", "size", "suspicious")


def test_every_print_is_there_as_it_was(day: RealDay, prints: pl.DataFrame) -> None:
    kept = day.sql("SELECT ts_event_ns, price, size, eligible FROM trades ORDER BY seq")
    assert len(kept) == len(prints) == ROWS
    assert (kept["ts_event_ns"] == prints["ts_ns"]).all()
    assert (kept["price"] == prints["price"]).all()
    assert (kept["size"] == prints["size"]).all()
    assert (~kept["eligible"]).sum() == prints["suspicious"].sum() == SUSPICIOUS


@pytest.mark.parametrize("timeframe", ["1s", "1m", "30m", "1h", "4h"])
def test_bars_are_those_of_polars_from_the_same_trades(day: RealDay, prints: pl.DataFrame, timeframe: str) -> None:
    same_bars(day.bars(0, timeframe), bars_of(prints.filter(pl.col("suspicious") == 0), timeframe))


def test_a_day_is_its_session(day: RealDay, prints: pl.DataFrame) -> None:
    """What is printed before 9:30 and from 16:00 on is in other bars, not in that of the day."""
    local = pl.from_epoch("ts_ns", time_unit="ns").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    minute = local.dt.hour().cast(pl.Int64) * 60 + local.dt.minute()
    regular = prints.filter((pl.col("suspicious") == 0) & (minute >= 570) & (minute < 960))
    days = regular.group_by(local.dt.date().alias("day"), maintain_order=True).agg(
        pl.col("price").first().alias("open"),
        pl.col("price").max().alias("high"),
        pl.col("price").min().alias("low"),
        pl.col("price").last().alias("close"),
        pl.len().cast(pl.Int64).alias("trades"),
    )
    ours = day.bars(0, "1d")
    assert len(ours) == len(days) == 5
    for name in (*OHLC, "trades"):
        assert ours[name].to_list() == days[name].to_list(), name
    assert (ours["ts_close_ns"] - ours["ts_open_ns"]).to_list() == [23_400 * 1_000_000_000] * 5


def test_it_was_traded_within_the_session_only(day: RealDay) -> None:
    counts = day.daemon.counts
    assert counts["OrderFilled"] > 1000
    assert counts["Anomaly"] == 0
    assert counts["LateTick"] == 0
    fills = day.sql("SELECT ts_received_ns FROM order_filled")
    local = fills.select(
        pl.from_epoch("ts_received_ns", time_unit="ns").dt.replace_time_zone("UTC").dt.convert_time_zone("US/Eastern")
    )["ts_received_ns"]
    minute = local.dt.hour().cast(pl.Int64) * 60 + local.dt.minute()
    assert minute.min() >= 570
    assert minute.max() < 960
    refused = day.sql("SELECT rule, count(*) AS times FROM order_refused GROUP BY rule")
    assert "market_hours" in refused["rule"].to_list()


def test_the_journal_verifies_and_re_executes(day: RealDay) -> None:
    report = verify(day.folder)
    assert report.ok, report.fault
    assert report.rows > ROWS
    assert state_digest(re_executed(day.folder)) == state_digest(day.daemon.state)
