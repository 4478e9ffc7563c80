"""Four recordings of Binance, USD-M and spot, BTCUSDT and ETHUSDT, in one run."""

import gzip
from collections import Counter
from pathlib import Path

import msgspec
import polars as pl
import pytest
from real_day import RealDay, bars_of, same_bars
from small_day import ROOT, re_executed

from tradingd.core.snapshot import state_digest
from tradingd.events import FeedState, OrdStatus
from tradingd.journal.verify import verify

# in the order of the config's instruments; depth updates and one REST snapshot each are kept as frames
FILES = [
    ("binance_usdm_btcusdt_20240808.raw.gz", {"quote": 66_089, "trade": 21_313, "frame": 6_551 + 1}),
    ("binance_usdm_ethusdt_20240808.raw.gz", {"quote": 53_992, "trade": 14_076, "frame": 6_586 + 1}),
    ("binance_spot_btcusdt_20240808.raw.gz", {"quote": 28_040, "trade": 9_757, "frame": 3_451 + 1}),
    ("binance_spot_ethusdt_20240808.raw.gz", {"quote": 24_077, "trade": 6_106, "frame": 3_434 + 1}),
]
FRAMES = 243_476
KINDS = {1: "trade", 2: "quote", 3: "frame"}


@pytest.fixture(scope="module")
def day(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> RealDay:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADINGD_REALDATA", str(realdata))
        return RealDay(ROOT / "configs" / "binance_recorded.toml", tmp_path_factory.mktemp("binance") / "j")


def lines_of(realdata: Path, name: str) -> list[tuple[bytes, bytes]]:
    """(receive time, frame) of a file, read without tradingd."""
    with gzip.open(realdata / "ticks" / name) as file:
        return [tuple(line.rstrip(b"\n").split(b" ", 1)) for line in file]  # type: ignore[misc]


def test_every_frame_is_accounted_for_by_kind(day: RealDay) -> None:
    counted = day.sql("SELECT instrument, kind, count(*) AS rows FROM ticks GROUP BY ALL")
    found: dict[int, dict[str, int]] = {}
    for instrument, kind, rows in counted.rows():
        found.setdefault(instrument, {})[KINDS[kind]] = rows
    assert found == {index: counts for index, (_, counts) in enumerate(FILES)}
    assert counted["rows"].sum() == FRAMES
    status = day.daemon.feed_status["binance"]
    assert status.state is FeedState.DONE
    assert status.detail.startswith(f"{FRAMES} rows: 51252 trades, 172198 quotes, 20026 frames, 0 rejected; 0 gaps")
    assert "clock drift -1.2" in status.detail  # the recorder's clock is behind the exchange's: data, not an error
    assert day.daemon.state.ledger.cursors == {"binance": FRAMES}


def test_frames_that_nobody_reads_yet_are_kept_as_they_came(day: RealDay, realdata: Path) -> None:
    kept = Counter(bytes(payload) for payload in day.sql("SELECT payload FROM frames")["payload"])
    came: Counter[bytes] = Counter()
    for name, _ in FILES:
        came.update(f for _, f in lines_of(realdata, name) if b"@depth" in f[:40] or f.startswith(b'{"lastUpdateId'))
    assert kept == came


@pytest.mark.parametrize("index", range(4))
def test_bars_are_those_of_polars_from_the_same_trades(day: RealDay, realdata: Path, index: int) -> None:
    trades = [msgspec.json.decode(f)["data"] for _, f in lines_of(realdata, FILES[index][0]) if b"@trade" in f[:40]]
    eligible = [trade for trade in trades if trade.get("X", "MARKET") == "MARKET"]
    ticks = pl.DataFrame(
        {
            "ts_ns": [trade["T"] * 1_000_000 for trade in eligible],
            "price": [float(trade["p"]) for trade in eligible],
            "size": [float(trade["q"]) for trade in eligible],
        }
    )
    assert ticks["ts_ns"].is_sorted()
    for timeframe in ("1s", "1m"):
        same_bars(day.bars(index, timeframe), bars_of(ticks, timeframe))


def test_it_was_traded(day: RealDay) -> None:
    counts = day.daemon.counts
    assert counts["OrderRequested"] > 50
    assert counts["OrderFilled"] > 50
    assert counts["Anomaly"] == 0
    ledger = day.daemon.state.ledger
    assert sum(ledger.closed_counts.values()) + len(ledger.orders) == counts["OrderRequested"]
    assert ledger.closed_counts[OrdStatus.FILLED] > 20
    account = ledger.accounts["USDT"]
    assert account.balance == account.opening + sum(account.postings.values())
    # every fill is at a price that was there: within what the instrument traded or was quoted at in these minutes
    outside = day.sql(
        "WITH seen AS (SELECT instrument, min(price) AS low, max(coalesce(ask_price, price)) AS high FROM ticks "
        "WHERE kind < 3 GROUP BY instrument) "
        "SELECT count(*) FROM order_filled f JOIN seen s USING (instrument) WHERE last_px < low OR last_px > high"
    )
    assert outside.item() == 0


def test_the_journal_verifies_and_re_executes(day: RealDay) -> None:
    report = verify(day.folder)
    assert report.ok, report.fault
    assert state_digest(re_executed(day.folder)) == state_digest(day.daemon.state)
