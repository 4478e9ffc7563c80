"""Both engines and the paper daemon make the same trades of recorded markets: every built-in strategy and exit."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tradingd_cli.engines import by_daemon

from tradingd import backtest
from tradingd.backtesting.event import execute_by_core
from tradingd.backtesting.parity import difference
from tradingd.backtesting.result import Result
from tradingd.catalogue.importing import import_files
from tradingd.catalogue.plan import Asked
from tradingd.catalogue.store import Catalogue

from . import shown

pytestmark = pytest.mark.realdata
STRATEGIES = ("coin_flip", "donchian", "mean_reversion", "sma_cross")
EXITS: tuple[dict[str, Any], ...] = ({"kind": "fixed_ratio"}, {"kind": "trailing_atr"})
LEAVES = [[], [EXITS[0]], [EXITS[1]], list(EXITS)]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return Catalogue(tmp_path_factory.mktemp("catalogue"))


@cache
def imported(market: str, realdata: Path, catalogue: Catalogue) -> Path:
    one = next(one for one in shown.SHOWN if one.instrument == market)
    asked = Asked(**one.asked)
    done = import_files(catalogue, [realdata / one.file], market, asked, replace=False, strict=False)
    return Path(catalogue.path(done.record))


def event_differs(result: Result) -> str | None:
    return difference(result.executed, execute_by_core(result.settings, result.bars, result.library))


@pytest.mark.parametrize("one", shown.SHOWN, ids=lambda one: one.instrument)
def test_the_shown_markets(one: shown.Shown, realdata: Path, catalogue: Catalogue) -> None:
    data = imported(one.instrument, realdata, catalogue)
    result = backtest(one.strategy, data, one.params, instrument=one.traded, **one.more)
    assert result.metrics.closed_trades > 0
    assert event_differs(result) is None


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("exits", LEAVES, ids=lambda leaves: "+".join(leave["kind"] for leave in leaves) or "none")
@pytest.mark.parametrize("market", ["US:GOOG", "US:SPY"])
def test_built_ins(
    market: str, strategy: str, exits: list[dict[str, Any]], realdata: Path, catalogue: Catalogue
) -> None:
    risk = {"risk_per_trade": 0.01, "max_leverage": 2.0}
    traded = shown.STOCKS | {"tick_size": 0.01}
    data = imported(market, realdata, catalogue)
    result = backtest(strategy, data, exits=exits, instrument=traded, risk=risk, simulation={"slippage_ticks": 1})
    assert result.metrics.closed_trades > 0
    assert event_differs(result) is None


def test_the_paper_daemon(realdata: Path, catalogue: Catalogue) -> None:
    data = imported("US:GOOG", realdata, catalogue)
    for strategy in STRATEGIES:
        result = backtest(strategy, data, exits=EXITS, instrument=shown.STOCKS | {"tick_size": 0.01})
        assert result.metrics.closed_trades > 0
        assert difference(result.executed, by_daemon(result, Path())) is None
