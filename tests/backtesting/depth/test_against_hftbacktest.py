"""On the same events and rules as many orders and fills as hftbacktest, and the same position at the end.

The peer needs a numba of its own, so it runs in an environment of its own: TRADINGD_HFTBACKTEST names its Python.
"""

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tradingd.backtesting.depth.binance import read_binance

ROOT = Path(__file__).resolve().parents[3]


def benchmark() -> ModuleType:
    """What is measured is what is compared."""
    spec = importlib.util.spec_from_file_location("depth_benchmark", ROOT / "benchmarks" / "depth.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bench = benchmark()


@pytest.fixture
def python() -> str:
    named = os.environ.get("TRADINGD_HFTBACKTEST")
    if not named:
        pytest.skip("hftbacktest is not there; set TRADINGD_HFTBACKTEST to the python of an environment that has it")
    return named


def compare(python: str, columns: dict[str, Any], folder: Path, fills_min: int) -> None:
    """Each re-quote interval with each queue model: risk averse, and powers 1 to 3."""
    peer = bench.Peer(python, columns, str(folder))
    for step_ns in bench.MODES.values():
        for power in range(4):
            said = peer.run(step_ns, power)[1]
            assert bench.our_run(columns, step_ns, power)[1] == said
            assert int(said.split(" fills")[0].split()[-1]) >= fills_min
    peer.end()


@pytest.mark.parametrize("seed", [7, 8])
def test_orders_fills_and_position_are_those_of_the_peer(python: str, seed: int, tmp_path: Path) -> None:
    compare(python, bench.market(300_000, seed), tmp_path, 100)


@pytest.mark.realdata
def test_on_a_recorded_market_too(python: str, realdata: Path, tmp_path: Path) -> None:
    path = realdata / "ticks/binance_usdm_btcusdt_20240808.raw.gz"
    events = read_binance(path, tick_size=bench.TICK, lot_size=bench.LOT, clock_offset_ns=1_300_000_000)
    columns = {"ts_ns": events.ts_event_ns, "received_ns": events.ts_received_ns}
    compare(python, columns | {name: getattr(events, name) for name in ("kind", "ticks", "lots")}, tmp_path, 200)
