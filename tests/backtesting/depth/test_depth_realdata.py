"""Recorded markets: the book is in step with the venue's own best bid and ask, never crossed, and trades."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tradingd.backtesting.depth.binance import read_binance
from tradingd.backtesting.depth.events import DepthEvents
from tradingd.backtesting.depth.run import depth_backtest
from tradingd.backtesting.depth.tardis import read_tardis
from tradingd.backtesting.errors import BacktestError
from tradingd.kernels.depth_book import BUY_TRADE, CLEAR

pytestmark = pytest.mark.realdata

OFFSET_NS = 1_300_000_000  # the recorder's clock was 1.27 s behind
MARKETS = {
    "usdm_btcusdt": (0.1, 0.001),
    "usdm_ethusdt": (0.01, 0.001),
    "spot_btcusdt": (0.01, 0.00001),
    "spot_ethusdt": (0.01, 0.0001),
}


def recorded(realdata: Path, name: str) -> Path:
    return realdata / f"ticks/binance_{name}_20240808.raw.gz"


@pytest.fixture
def watch(tmp_path: Path) -> Path:
    """A maker that only writes down the best prices that it sees."""
    path = tmp_path / "watch.py"
    path.write_text(
        "from typing import Any\nimport numpy as np\n"
        "from tradingd.strategies.makers.contract import compiled\n"
        "@compiled(state=lambda p: {'n': 0, 'seen': np.zeros((200_000, 3), np.int64)})\n"
        "def watch(state: Any, view: Any, params: Any, wanted: Any) -> None:\n"
        "    state.seen[state.n, 0] = view.ts_ns\n"
        "    state.seen[state.n, 1] = view.bid_ticks if view.bid_lots > 0 else -1\n"
        "    state.seen[state.n, 2] = view.ask_ticks if view.ask_lots > 0 else -1\n"
        "    state.n += 1\n"
    )
    return path


def seen_by(watch: Path, events: DepthEvents, tick: float, lot: float) -> Any:
    from tradingd.backtesting.depth.engine import replay
    from tradingd.backtesting.depth.run import settings_for
    from tradingd.strategies.makers.loader import load_maker

    instance = load_maker(f"{watch}:watch", Path()).instantiate()
    replay(settings_for("x", instrument={"tick_size": tick, "lot_size": lot}, step_ns=0), events, instance)
    return instance.state[0]["seen"][: instance.state[0]["n"]]


def frames_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Receive times and what streams said."""
    with gzip.open(path, "rt") as file:
        for line in file:
            head, _, payload = line.partition(" ")
            yield int(head), json.loads(payload).get("data", {})


def tickers_of(path: Path, tick: float) -> dict[int, tuple[int, int]]:
    """Best bid and ask in ticks by update id."""
    said = [data for _, data in frames_of(path) if "A" in data and "B" in data]
    return {data["u"]: (round(float(data["b"]) / tick), round(float(data["a"]) / tick)) for data in said}


def updates_of(path: Path) -> dict[int, int]:
    """The last update id of the diffs by when they were received."""
    return {ns + OFFSET_NS: data["u"] for ns, data in frames_of(path) if data.get("e") == "depthUpdate"}


@pytest.mark.parametrize("name", MARKETS)
def test_the_book_is_the_venues(name: str, realdata: Path, watch: Path) -> None:
    tick, lot = MARKETS[name]
    path = recorded(realdata, name)
    events = read_binance(path, tick_size=tick, lot_size=lot, clock_offset_ns=OFFSET_NS)
    seen, updates, tickers = seen_by(watch, events, tick, lot), updates_of(path), tickers_of(path, tick)
    both = seen[(seen[:, 1] >= 0) & (seen[:, 2] >= 0)]
    assert len(both) > 0.99 * len(seen)
    assert (both[:, 1] < both[:, 2]).all()
    ids = np.array(sorted(tickers))
    rows = [(updates[t], bid, ask) for t, bid, ask in both.tolist() if t in updates]
    compared = [(u, bid, ask) for u, bid, ask in rows if u >= ids[0]]
    same = sum(tickers[int(ids[np.searchsorted(ids, u, "right") - 1])] == (bid, ask) for u, bid, ask in compared)
    print(f"{name}: {len(events):,} events, best bid and ask as the ticker at {same:,} of {len(compared):,} diffs")
    assert same >= 0.99 * len(compared) > 1000


@pytest.mark.parametrize("name", MARKETS)
def test_a_maker_trades_on_it(name: str, realdata: Path) -> None:
    tick, lot = MARKETS[name]
    events = read_binance(recorded(realdata, name), tick_size=tick, lot_size=lot, clock_offset_ns=OFFSET_NS)
    params = {"lots": round(0.01 / lot), "position_max": round(0.1 / lot), "ticks_away": 0}
    result = depth_backtest("touch", events, params, instrument={"tick_size": tick, "lot_size": lot})
    print(result)
    assert result.counts["fills"] > 20
    assert result.fills["maker"].all()


def test_a_clock_that_is_behind_is_told(realdata: Path) -> None:
    with pytest.raises(BacktestError, match=r"ms before it happened; .*clock_offset_ns=12\d{8} to"):
        read_binance(recorded(realdata, "usdm_btcusdt"), tick_size=0.1, lot_size=0.001)


def test_tardis(realdata: Path) -> None:
    path = realdata / "ticks/tardis_deribit_incremental_book_L2_BTC-PERPETUAL.csv"
    events = read_tardis(path, tick_size=0.5, lot_size=10)
    assert events.counts() == {"bid": 0, "ask": 15, "buy_trade": 0, "sell_trade": 0, "clear": 1}
    assert (events.kind[0], events.ticks[1], events.lots[1]) == (CLEAR, 12843, 1864)
    assert events.ts_received_ns[0] - events.ts_event_ns[0] == 110_684_000
    result = depth_backtest("touch", events, instrument={"tick_size": 0.5, "lot_size": 10})
    assert result.counts["orders"] == 0
    assert BUY_TRADE not in events.kind
