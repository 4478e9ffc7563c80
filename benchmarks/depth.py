"""W6: five million level-2 events and a market maker that cancels and replaces a bid and an ask, one core.

    python -m benchmarks.depth [EVENTS] [PYTHON]

PYTHON: an environment with hftbacktest, which then runs on the same events in turn with ours, run by run; this file is
what it executes. Both count orders, fills and the final position.
"""

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

EVENTS = 5_000_000
REPEATS = 7
START_NS = 1_704_067_200_000_000_000
GAP_NS = 1_000_000
FEED_NS = 1_000_000
ORDER_NS = 5_000_000
MODES = {"100 ms": 100_000_000, "10 ms": 10_000_000}
TICK, LOT = 0.1, 0.001
NO_TICK = 2**62  # the peer's prices of an empty side are beyond it
BID, ASK, BUY_TRADE, SELL_TRADE = range(4)


def market(count: int, seed: int = 7) -> dict[str, Any]:
    """Twenty levels on either side of a mid that walks by a tick; one event in ten is a trade at the touch.

    Columns: ts_ns (exchange), kind, ticks, lots. Sizes are no whole lots.
    """
    rng = np.random.default_rng(seed)
    moves, walk = _moves(count, rng)
    kind = rng.integers(0, 2, count).astype(np.uint8)
    level = (rng.random(count) * rng.random(count) * 20).astype(np.int64)
    lots = 100.0 + rng.random(count) * 3000.0
    lots[(level > 0) & (rng.random(count) < 0.15)] = 0.0
    ticks = np.where(kind == BID, walk - level, walk + 1 + level)
    is_trade = rng.random(count) < 0.10
    kind[is_trade] += 2
    ticks[is_trade] = np.where(kind == SELL_TRADE, walk, walk + 1)[is_trade]
    lots[is_trade] = 1.0 + rng.random(int(is_trade.sum())) * 200.0
    ts_ns = START_NS + np.cumsum(rng.exponential(GAP_NS, count).astype(np.int64) + 1)
    _write_moves(moves, walk, kind, ticks, lots, ts_ns, rng)
    _write_start(kind, ticks, lots, ts_ns)
    return {"ts_ns": ts_ns, "kind": kind, "ticks": ticks, "lots": lots}


def _moves(count: int, rng: Any) -> tuple[Any, Any]:
    """Rows at which the mid moves (the first of three), and the best bid at each row."""
    moves = np.flatnonzero(rng.random(count) < 0.02)
    moves = moves[(moves > 40) & (moves < count - 3)]
    moves = moves[np.append(True, np.diff(moves) > 2)]
    step = np.zeros(count, np.int64)
    step[moves] = rng.choice((-1, 1), len(moves))
    return moves, 300_000 + np.cumsum(step)


def _write_moves(moves: Any, walk: Any, kind: Any, ticks: Any, lots: Any, ts_ns: Any, rng: Any) -> None:
    """The best level of one side goes, then both sides have a new best, all at one time."""
    up = walk[moves] > walk[moves - 1]
    best = walk[moves]
    rows = (
        (np.where(up, ASK, BID), np.where(up, best, best + 1), np.zeros(len(moves))),
        (np.where(up, BID, ASK), np.where(up, best, best + 1), 500.0 + rng.random(len(moves)) * 1000.0),
        (np.where(up, ASK, BID), np.where(up, best + 1, best), 500.0 + rng.random(len(moves)) * 1000.0),
    )
    for n, (side, price, size) in enumerate(rows):
        kind[moves + n], ticks[moves + n], lots[moves + n] = side, price, size
        ts_ns[moves + n] = ts_ns[moves]


def _write_start(kind: Any, ticks: Any, lots: Any, ts_ns: Any) -> None:
    level = np.arange(20)
    kind[:40] = np.repeat((BID, ASK), 20)
    ticks[:40] = np.concatenate([300_000 - level, 300_001 + level])
    lots[:40] = np.tile(1000.0 * (1 + level), 2)
    ts_ns[:40] = START_NS


# --- ours -------------------------------------------------------------------------------------------------------------


def ours(columns: dict[str, Any], step_ns: int, requote: bool = True, power: int = 0, partial: bool = False) -> Any:
    from tradingd.backtesting.depth.events import DepthEvents
    from tradingd.backtesting.depth.run import settings_for

    ts_ns = columns["ts_ns"]
    received_ns = columns.get("received_ns", ts_ns + FEED_NS)
    events = DepthEvents.ordered(ts_ns, received_ns, columns["kind"], columns["ticks"], columns["lots"])
    settings = settings_for(
        "touch",
        {"ticks_away": 1, "lots": 100, "position_max": 950, "requote": requote},
        instrument={"tick_size": TICK, "lot_size": LOT, "fees": {"maker_rate": -0.00005, "taker_rate": 0.0007}},
        venue={
            "entry_latency_ns": ORDER_NS,
            "response_latency_ns": ORDER_NS,
            "queue": f"power_{power}" if power else "risk_averse",
            "partial_fills": partial,
        },
        balance="1000000",
        step_ns=step_ns,
        sample_ns=1_000_000_000,
    )
    return settings, events


def timed(call: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def our_run(columns: dict[str, Any], step_ns: int, power: int = 0, partial: bool = False) -> tuple[float, str]:
    from tradingd.backtesting.depth.run import run

    settings, events = ours(columns, step_ns, True, power, partial)
    seconds, done = timed(lambda: run(settings, events, Path()).executed)
    position = int(done.fills["position"][-1]) if len(done.fills) else 0
    return seconds, f"{done.counts['orders']} orders, {len(done.fills)} fills, position {position}"


# --- the peer ---------------------------------------------------------------------------------------------------------


def peer_main(path: str) -> None:
    """In the peer's environment: a line of what a run came to for each line `step power partial` that it reads."""
    sys.path = [entry for entry in sys.path if entry != str(Path(__file__).resolve().parent)]
    run = peer_of(dict(np.load(path)))
    for line in sys.stdin:
        seconds, orders, fills, lots = run(*map(int, line.split()))
        print(f"{seconds} {orders} orders, {fills} fills, position {lots}", flush=True)


def peer_of(columns: dict[str, Any]) -> Any:
    import hftbacktest as h
    from hftbacktest.types import event_dtype
    from numba import njit, uint64

    both = h.EXCH_EVENT | h.LOCAL_EVENT
    flags = np.array(
        [
            h.DEPTH_EVENT | h.BUY_EVENT, h.DEPTH_EVENT | h.SELL_EVENT,
            h.TRADE_EVENT | h.BUY_EVENT, h.TRADE_EVENT | h.SELL_EVENT, h.DEPTH_CLEAR_EVENT,
        ]
    )  # fmt: skip
    data = np.zeros(len(columns["kind"]), event_dtype)
    data["ev"] = (flags | both)[columns["kind"]]
    data["exch_ts"], data["local_ts"] = columns["ts_ns"], columns.get("received_ns", columns["ts_ns"] + FEED_NS)
    data["px"], data["qty"] = columns["ticks"] * TICK, columns["lots"] * LOT

    @njit
    def quote(hbt: Any, step_ns: int) -> int:
        order, bid, ask = uint64(1), uint64(0), uint64(0)
        sent = 0
        while hbt.elapse(step_ns) == 0:
            hbt.clear_inactive_orders(0)
            depth, orders, position = hbt.depth(0), hbt.orders(0), hbt.position(0)
            if bid != 0 and bid in orders and orders.get(bid).cancellable:
                hbt.cancel(0, bid, False)
            if ask != 0 and ask in orders and orders.get(ask).cancellable:
                hbt.cancel(0, ask, False)
            has_book = depth.best_bid_tick > -NO_TICK and depth.best_ask_tick < NO_TICK
            if has_book and position < 0.95:
                bid, order, sent = order, order + uint64(1), sent + 1
                price = (depth.best_bid_tick - 1) * depth.tick_size
                hbt.submit_buy_order(0, bid, price, 0.1, h.GTX, h.LIMIT, False)
            if has_book and position > -0.95:
                ask, order, sent = order, order + uint64(1), sent + 1
                price = (depth.best_ask_tick + 1) * depth.tick_size
                hbt.submit_sell_order(0, ask, price, 0.1, h.GTX, h.LIMIT, False)
        return sent

    levels = data["px"][columns["kind"] <= ASK]

    def run(step_ns: int, power: int, partial: int) -> tuple[float, int, int, int]:
        asset = (
            h.BacktestAsset().data([data]).linear_asset(1.0).constant_order_latency(ORDER_NS, ORDER_NS)
            .trading_value_fee_model(-0.00005, 0.0007).tick_size(TICK).lot_size(LOT).last_trades_capacity(0)
            .parallel_load(False).roi_lb(levels.min()).roi_ub(levels.max())
        )  # fmt: skip
        asset = asset.power_prob_queue_model(float(power)) if power else asset.risk_adverse_queue_model()
        asset = asset.partial_fill_exchange() if partial else asset.no_partial_fill_exchange()
        hbt = h.ROIVectorMarketDepthBacktest([asset])  # the fastest of its books
        seconds, sent = timed(lambda: quote(hbt, step_ns))
        position, fills = hbt.position(0), hbt.state_values(0).num_trades
        hbt.close()
        return seconds, sent, int(fills), round(position / LOT)

    return run


class Peer:
    """The other environment as a process that runs when it is told to."""

    def __init__(self, python: str, columns: dict[str, Any], folder: str) -> None:
        path = f"{folder}/events.npz"
        np.savez(path, **columns)
        self._process = subprocess.Popen(
            [python, __file__, "--peer", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, step_ns: int, power: int = 0, partial: bool = False) -> tuple[float, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{step_ns} {power} {int(partial)}\n")
        self._process.stdin.flush()
        seconds, _, said = self._process.stdout.readline().strip().partition(" ")
        return float(seconds), said

    def end(self) -> None:
        self._process.communicate()


def compare(columns: dict[str, Any], peer: Peer | None) -> None:
    count = len(columns["kind"])
    for name, step_ns in MODES.items():
        runs = {"tradingd": lambda step_ns=step_ns: our_run(columns, step_ns)}
        if peer is not None:
            runs["hftbacktest"] = lambda step_ns=step_ns: peer.run(step_ns)
        times: dict[str, list[float]] = {who: [] for who in runs}
        said: dict[str, str] = {}
        for n in range(REPEATS + 1):
            for who, run in runs.items():
                seconds, said[who] = run()
                times[who] += [seconds] if n else []  # the first compiles
        for who, each in times.items():
            middle = statistics.median(each)
            low, mid, high = (count / seconds / 1e6 for seconds in (max(each), middle, min(each)))
            rate = f"{middle * 1e3:.0f} ms, {mid:.1f} M events/s [{low:.1f} to {high:.1f}]"
            print(f"a bid and an ask every {name}, {who}: {rate}; {said[who]}", flush=True)
        if peer is not None:
            pairs = zip(times["hftbacktest"], times["tradingd"], strict=True)
            print(f"  ratio, median of {REPEATS} pairs: {statistics.median(a / b for a, b in pairs):.1f}")


def messages(columns: dict[str, Any]) -> None:
    """A step after each message of the feed, with quotes that stay where they are wanted."""
    from tradingd.backtesting.depth.run import run

    settings, events = ours(columns, 0, requote=False)
    times = [timed(lambda: run(settings, events, Path()).executed) for _ in range(REPEATS + 1)]
    middle, counts = statistics.median(seconds for seconds, _ in times[1:]), times[0][1].counts
    rate = len(events) / middle / 1e6
    print(f"a step per message: {middle * 1e3:.0f} ms, {rate:.1f} M events/s; {counts['steps']} steps", flush=True)


def main() -> None:
    from benchmarks.harness import machine

    rows = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    columns = market(rows)
    assert not math.isnan(columns["lots"].sum())
    print(f"{machine()}, one of them; {rows:,} events")
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(sys.argv[2], columns, folder) if len(sys.argv) > 2 else None
        compare(columns, peer)
        if peer is not None:
            peer.end()
    messages(columns)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer_main(sys.argv[2])
    else:
        main()
