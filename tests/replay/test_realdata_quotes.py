"""Quotes: EURUSD's of two weeks, two-sided and without sizes, and IBM's, of which each row tells one side only."""

from pathlib import Path

import polars as pl
import pytest
from real_day import RealDay, bars_of, same_bars
from small_day import ROOT, re_executed

from tradingd.core.snapshot import state_digest
from tradingd.journal.verify import verify

EURUSD_ROWS = 1_144_807
IBM_QUOTES, IBM_TRADES = 135_492, 126_395
IBM = """
name = "ibm"

[[instruments]]
id = "US:IBM"
asset_class = "equity"
tick_size = 0.01
lot_size = 1
currency = "USD"
fees = { per_unit = 0.005 }
margin = { initial_rate = 0.5, maintenance_rate = 0.25 }
session = { timezone = "America/New_York", open = "09:30", close = "16:00", days = [0, 1, 2, 3, 4] }
price_source = "SOURCE"

[[accounts]]
currency = "USD"
balance = "1000000"

[[feeds]]
kind = "file"
name = "ibm"

[[feeds.files]]
path = "${TRADINGD_REALDATA}/ticks/ibm_quotes_2013-10-09.csv.gz"
instrument = "US:IBM"
ts_unit = "ms"
columns = { ts_event = "ts_ms", bid = "bid", bid_size = "bid_size", ask = "ask", ask_size = "ask_size" }

[[feeds.files]]
path = "${TRADINGD_REALDATA}/ticks/ibm_trades_2013-10-07_11.csv.gz"
instrument = "US:IBM"
ts_unit = "ms"
columns = { ts_event = "ts_ms", price = "price", size = "size" }
ineligible = "suspicious"

[bars]
timeframes = ["1m", "15m"]

[[strategies]]
name = "cross"
kind = "sma_cross"
instruments = ["US:IBM"]
timeframe = "1m"
params = { fast = 5, slow = 20 }
allocation = 0.5

[risk]
price_collar = 0.02
stale_data_ms = 60_000
"""


@pytest.fixture(scope="module")
def eurusd(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> RealDay:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADINGD_REALDATA", str(realdata))
        return RealDay(ROOT / "configs" / "eurusd.toml", tmp_path_factory.mktemp("eurusd") / "j")


@pytest.fixture(scope="module", params=["trade", "mid"])
def ibm(request: pytest.FixtureRequest, realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> RealDay:
    folder = tmp_path_factory.mktemp("ibm")
    config = folder / "ibm.toml"
    config.write_text(IBM.replace("SOURCE", request.param))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADINGD_REALDATA", str(realdata))
        return RealDay(config, folder / "j")


def mids(quotes: pl.DataFrame) -> pl.DataFrame:
    """(ts_ns, price, size) of every row at which both sides are known; an absent side is what it was."""
    known = quotes.with_columns(pl.col("bid").forward_fill(), pl.col("ask").forward_fill()).drop_nulls()
    return known.select("ts_ns", ((pl.col("bid") + pl.col("ask")) * 0.5).alias("price"), pl.lit(0.0).alias("size"))


def test_every_quote_of_eurusd_is_there_as_it_was(eurusd: RealDay, realdata: Path) -> None:
    came = pl.read_csv(realdata / "ticks" / "fxcm_eurusd_2014-05-01_15.csv.gz")
    kept = eurusd.sql("SELECT ts_event_ns, bid_price, ask_price, bid_size FROM quotes ORDER BY seq")
    assert len(kept) == len(came) == EURUSD_ROWS
    assert (kept["ts_event_ns"] == came["ts_ms"] * 1_000_000).all()
    assert (kept["bid_price"] == came["bid"]).all()
    assert (kept["ask_price"] == came["ask"]).all()
    assert kept["bid_size"].null_count() == EURUSD_ROWS


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "1h"])
def test_bars_of_eurusd_are_those_of_polars_from_the_same_mids(eurusd: RealDay, realdata: Path, timeframe: str) -> None:
    came = pl.read_csv(realdata / "ticks" / "fxcm_eurusd_2014-05-01_15.csv.gz")
    quotes = came.select((pl.col("ts_ms") * 1_000_000).alias("ts_ns"), "bid", "ask")
    same_bars(eurusd.bars(0, timeframe), bars_of(mids(quotes), timeframe), traded=False)


def test_eurusd_was_traded(eurusd: RealDay) -> None:
    counts = eurusd.daemon.counts
    assert counts["OrderFilled"] > 100
    assert counts["Anomaly"] == 0
    # a buy pays the ask, a sale gets the bid: those that stood when the order arrived, or those of the row itself
    fills = eurusd.sql(
        "WITH book AS (SELECT seq, greatest(bid_price, lag(bid_price) OVER (ORDER BY seq)) AS bid_price, "
        "least(ask_price, lag(ask_price) OVER (ORDER BY seq)) AS ask_price FROM quotes) "
        "SELECT f.side, f.last_px, b.bid_price, b.ask_price FROM order_filled f JOIN book b USING (seq) "
        "JOIN order_requested r ON r.cl_ord_id = f.cl_ord_id WHERE r.ord_type = 'Market'"
    )
    assert len(fills) > 50
    bought = fills.filter(pl.col("side") == "Buy")
    sold = fills.filter(pl.col("side") == "Sell")
    assert (bought["last_px"] >= bought["ask_price"] - 1e-9).all()
    assert (sold["last_px"] <= sold["bid_price"] + 1e-9).all()


def test_eurusd_verifies_and_re_executes(eurusd: RealDay) -> None:
    report = verify(eurusd.folder)
    assert report.ok, report.fault
    assert state_digest(re_executed(eurusd.folder)) == state_digest(eurusd.daemon.state)


def test_quotes_of_ibm_tell_one_side(ibm: RealDay) -> None:
    kinds = ibm.sql(
        "SELECT count(*) FILTER (kind = 1) AS trades, count(*) FILTER (kind = 2) AS quotes, "
        "count(*) FILTER (kind = 2 AND price IS NOT NULL AND ask_price IS NOT NULL) AS two_sided, "
        "count(*) FILTER (kind = 2 AND price IS NULL AND ask_price IS NULL) AS none FROM ticks"
    )
    assert kinds.rows() == [(IBM_TRADES, IBM_QUOTES, 0, 0)]
    # both sides are known all the same
    market = ibm.daemon.state.memory.market
    assert 0 < market.bid[0] < 1000
    assert 0 < market.ask[0] < 1000


def test_bars_of_ibm_are_those_of_polars(ibm: RealDay, realdata: Path) -> None:
    if ibm.daemon.state.settings.instruments[0].price_source == "mid":
        came = pl.read_csv(realdata / "ticks" / "ibm_quotes_2013-10-09.csv.gz")
        quotes = came.select((pl.col("ts_ms") * 1_000_000).alias("ts_ns"), "bid", "ask")
        ticks, traded = mids(quotes.cast({"bid": pl.Float64, "ask": pl.Float64})), False
    else:
        came = pl.read_csv(realdata / "ticks" / "ibm_trades_2013-10-07_11.csv.gz").filter(pl.col("suspicious") == 0)
        ticks, traded = came.select((pl.col("ts_ms") * 1_000_000).alias("ts_ns"), "price", "size"), True
    assert ticks["ts_ns"].is_sorted()
    for timeframe in ("1m", "15m"):
        same_bars(ibm.bars(0, timeframe), bars_of(ticks, timeframe), traded=traded)


def test_ibm_was_traded_verifies_and_re_executes(ibm: RealDay) -> None:
    assert ibm.daemon.counts["OrderFilled"] > 10
    assert ibm.daemon.counts["Anomaly"] == 0
    assert verify(ibm.folder).ok
    assert state_digest(re_executed(ibm.folder)) == state_digest(ibm.daemon.state)
