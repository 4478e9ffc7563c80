"""Each rule of docs/depth.md by hand: small books, one order, one fill."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tradingd.backtesting.depth import DepthEvents, DepthResult, depth_backtest
from tradingd.backtesting.depth.settings import settings_of
from tradingd.backtesting.errors import BacktestError
from tradingd.config.problems import ConfigError
from tradingd.strategies.contract import StrategyError

BOOK = [(0, "bid", 100, 5.0), (0, "ask", 102, 5.0)]
END = (1000, "sell_trade", 1, 0.0)

ONCE = """
from typing import Any
from tradingd.strategies.makers.contract import compiled

@compiled(params={"bid": 0, "ask": 0, "take": 0, "at": 0, "market": False, "post_only": True, "until": 1_000_000},
          state=lambda p: {"step": 0})
def once(state: Any, view: Any, params: Any, wanted: Any) -> None:
    wanted.bid_ticks, wanted.ask_ticks = abs(params.bid), abs(params.ask)
    live = state.step < params.until
    wanted.bid_lots, wanted.ask_lots = (2 if params.bid and live else 0), (2 if params.ask and live else 0)
    wanted.post_only = params.post_only
    if state.step == 0:
        wanted.take_lots, wanted.take_ticks, wanted.take_market = params.take, params.at, params.market
    state.step += 1
"""


@pytest.fixture
def once(tmp_path: Path) -> str:
    (tmp_path / "once.py").write_text(ONCE)
    return f"{tmp_path / 'once.py'}:once"


def run(kind: str, rows: list[tuple[int, str, int, float]], params: dict[str, Any], **settings: Any) -> DepthResult:
    """Ticks of 1, lots of 1; the first step at 10, requests arrive 5 later, all is heard 5 after it happened."""
    ts, kinds, prices, sizes = zip(*rows, strict=True)
    frame = pl.DataFrame({"ts_event_ns": ts, "ts_received_ns": ts, "kind": kinds, "price": prices, "size": sizes})
    events = DepthEvents.of(frame.cast({"price": pl.Float64}), tick_size=1.0, lot_size=1.0)
    venue = {"entry_latency_ns": 5, "response_latency_ns": 5} | settings.pop("venue", {})
    instrument = {"tick_size": 1.0, "lot_size": 1.0, **settings.pop("instrument", {})}
    return depth_backtest(kind, events, params, instrument=instrument, venue=venue, step_ns=10, **settings)


def filled(result: DepthResult) -> list[tuple[int, str, float, float]]:
    ts = result.executed.fills["ts_ns"].tolist()
    return list(zip(ts, *(result.fills[name].to_list() for name in ("side", "price", "quantity")), strict=True))


def test_a_trade_at_the_price_has_to_pass_the_queue(once: str) -> None:
    rows = [*BOOK, (20, "sell_trade", 100, 5.0), (30, "sell_trade", 100, 1.0), END]
    result = run(once, rows, {"bid": 100, "until": 4})
    assert filled(result)[0] == (30, "buy", 100.0, 2.0)
    assert result.fills["queue"].to_list()[0] == 5.0


def test_with_partial_fills_it_gets_what_passed(once: str) -> None:
    rows = [*BOOK, (20, "sell_trade", 100, 6.0), (30, "sell_trade", 100, 1.0), END]
    result = run(once, rows, {"bid": 100, "until": 4}, venue={"partial_fills": True})
    assert filled(result) == [(20, "buy", 100.0, 1.0), (30, "buy", 100.0, 1.0)]


def test_a_trade_through_the_price_needs_no_queue(once: str) -> None:
    assert filled(run(once, [*BOOK, (20, "sell_trade", 99, 1.0), END], {"bid": 100, "until": 2})) == [
        (20, "buy", 100.0, 2.0)
    ]


def test_the_other_sides_best_price_reaches_it(once: str) -> None:
    rows = [*BOOK, (20, "ask", 99, 1.0), (20, "bid", 98, 1.0), END]
    assert filled(run(once, rows, {"bid": 100, "until": 2})) == [(20, "buy", 100.0, 2.0)]


def test_an_order_is_not_there_before_it_arrives(once: str) -> None:
    """It is sent at 10 and arrives at 15, after the event of that time."""
    assert filled(run(once, [*BOOK, (14, "sell_trade", 99, 1.0), END], {"bid": 100, "until": 2})) == []
    assert filled(run(once, [*BOOK, (15, "sell_trade", 99, 1.0), END], {"bid": 100, "until": 2})) == []
    assert len(filled(run(once, [*BOOK, (16, "sell_trade", 99, 1.0), END], {"bid": 100, "until": 2}))) == 1


def test_a_cancel_takes_as_long(once: str) -> None:
    """It is sent at 20 and arrives at 25."""
    for at, count in ((24, 1), (25, 1), (26, 0)):
        result = run(once, [*BOOK, (at, "sell_trade", 99, 1.0), END], {"bid": 100, "until": 1})
        assert len(filled(result)) == count
        assert result.counts["too_late"] == count
        assert result.counts["canceled"] == 1 - count


def test_the_share_that_was_ahead_decides(once: str) -> None:
    """Nine of ten ahead; then five leave: power 3 takes 729/730 of five from ahead, the risk-averse four."""
    rows = [(0, "bid", 100, 9.0), (0, "ask", 102, 5.0), (20, "bid", 100, 10.0), (30, "bid", 100, 6.0)]
    rows += [(40, "sell_trade", 100, 6.0), END]
    params = {"bid": 100, "until": 4}
    assert filled(run(once, rows, params)) == []
    assert filled(run(once, rows, params, venue={"queue": "power_3"}))[0][0] == 40


def test_post_only_expires_and_limit_takes(once: str) -> None:
    rows = [*BOOK, END]
    assert run(once, rows, {"bid": 102, "until": 1}).counts["expired"] == 1
    result = run(once, rows, {"bid": 103, "post_only": False, "until": 1})
    assert filled(result) == [(15, "buy", 102.0, 2.0)]
    assert not result.fills["maker"][0]


def test_a_price_below_a_tick_is_rejected(once: str) -> None:
    rows = [(0, "bid", 1, 5.0), (0, "ask", 2, 5.0), END]
    assert run("touch", rows, {"ticks_away": 3, "lots": 1, "position_max": 1}).counts["rejected"] > 0


def test_what_takes_walks_the_levels_with_partial_fills(once: str) -> None:
    rows = [(0, "ask", 102, 1.0), (0, "ask", 103, 1.0), (0, "ask", 104, 9.0), (0, "bid", 100, 1.0), END]
    take = {"take": 4, "at": 103}
    assert filled(run(once, rows, take)) == [(15, "buy", 102.0, 4.0)]
    result = run(once, rows, take, venue={"partial_fills": True})
    assert filled(result) == [(15, "buy", 102.0, 1.0), (15, "buy", 103.0, 1.0)]
    assert result.counts["expired"] == 1
    result = run(once, rows, take | {"market": True}, venue={"partial_fills": True})
    assert [fill[2] for fill in filled(result)] == [102.0, 103.0, 104.0]


def test_a_market_order_into_a_book_with_wide_gaps(once: str) -> None:
    """Room is needed for fills, not for the ticks between them."""
    rows = [(0, "ask", 102, 1.0), (0, "ask", 5_000_000, 1.0), (0, "bid", 100, 1.0), END]
    result = run(once, rows, {"take": 9, "market": True}, venue={"partial_fills": True})
    assert [fill[2] for fill in filled(result)] == [102.0, 5_000_000.0]
    assert len(result.executed.fills.base) < 10_000


def test_money(once: str) -> None:
    """Two bought at 102 for 0.001, sold at 105 as a maker for nothing less 0.0001; marked at the middle."""
    rows = [*BOOK, (40, "buy_trade", 106, 1.0), (50, "bid", 100, 4.0), END]
    fees = {"maker_rate": -0.0001, "taker_rate": 0.001}
    params = {"take": 2, "at": 102, "ask": 105, "until": 2}
    result = run(once, rows, params, instrument={"fees": fees}, balance="1000", sample_ns=20)
    assert result.fills["fee"].to_list() == [0.204]
    result = run(once, rows, params | {"until": 9}, instrument={"fees": fees}, balance="1000", sample_ns=20)
    assert result.fills["fee"].to_list() == [0.204, -0.021]
    assert result.fills["realized"].to_list() == [0.0, 6.0]
    assert result.summary["final_equity"] == 1000 - 0.204 + 6 + 0.021
    assert result.equity["equity"].to_list()[0] == 1000 - 0.204 + 2 * (101 - 102)


def test_the_same_run_twice_is_the_same(once: str) -> None:
    rng = np.random.default_rng(3)
    rows = BOOK + [(n, str(rng.choice(["bid", "sell_trade"])), int(rng.integers(97, 101)), 3.0) for n in range(1, 900)]
    first, second = (run(once, [*rows, END], {"bid": 100}) for _ in range(2))
    assert first.fills.equals(second.fills)
    assert first.equity.equals(second.equity)
    assert first.to_dict() == second.to_dict()


def test_another_text_of_the_maker_is_other_code(once: str, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(f"{ONCE}# and a remark\n")
    a, b = (run(kind, [*BOOK, END], {"bid": 100}).to_dict() for kind in (once, f"{tmp_path / 'other.py'}:once"))
    assert a["data_digest"] == b["data_digest"]
    assert a["code_digest"] != b["code_digest"]


# mistakes


def test_a_bid_at_the_own_ask_ends_it(once: str) -> None:
    with pytest.raises(BacktestError, match=r"at 10 ns: .*a bid at or above its ask: bid_ticks=101, bid_lots=2"):
        run(once, [*BOOK, END], {"bid": 101, "ask": 101})


def test_a_step_that_fails_ends_it(once: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    failing = ONCE.replace("state.step += 1", "state.step += 1; np.zeros(state.step)[state.step :].max()")
    (tmp_path / "bad.py").write_text(f"import numpy as np\n{failing}")
    with pytest.raises(BacktestError, match=r"at 10 ns: the maker's step failed, or it wanted .*: .*bid_lots=-1"):
        run(f"{tmp_path}/bad.py:once", [*BOOK, END], {})
    assert "zero-size array" in str(heard[0].exc_value)


def test_money_that_does_not_fit(once: str) -> None:
    with pytest.raises(BacktestError, match="an amount does not fit; give the account a coarser unit"):
        run(once, [*BOOK, END], {"take": 4, "market": True}, instrument={"multiplier": 1e17})


def test_settings_that_are_wrong(once: str) -> None:
    with pytest.raises(ConfigError, match=r"venue.queue: unknown value .*did you mean"):
        run(once, [*BOOK, END], {}, venue={"queue": "power_4"})
    with pytest.raises(ConfigError, match=r"account.currency: is EUR; the instrument's is USD"):
        run(once, [*BOOK, END], {}, account={"currency": "EUR"}, instrument={"currency": "USD"})
    with pytest.raises(ConfigError, match="balance"):
        run(once, [*BOOK, END], {}, balance="0.0000001")
    with pytest.raises(ConfigError):
        settings_of({})


def test_makers_that_are_wrong(once: str, tmp_path: Path) -> None:
    rows = [*BOOK, END]
    with pytest.raises(StrategyError, match=r"no market maker 'sma_cross'; there is touch"):
        run("sma_cross", rows, {})
    with pytest.raises(StrategyError, match="can not read strategy file"):
        run(f"{tmp_path}/none.py:x", rows, {})
    with pytest.raises(StrategyError, match="has no market maker 'twice'; it has: once"):
        run(once.replace(":once", ":twice"), rows, {})
    with pytest.raises(StrategyError, match="strategy touch has no parameter 'lot'"):
        run("touch", rows, {"lot": 1})
    with pytest.raises(StrategyError, match=r"touch: lots=0 is outside"):
        run("touch", rows, {"lots": 0})
    (tmp_path / "bad.py").write_text(ONCE.replace("state.step += 1", "state.steps += 1"))
    with pytest.raises(StrategyError, match="maker once: its state, view, params or wanted has no field 'steps'"):
        run(f"{tmp_path}/bad.py:once", rows, {})
