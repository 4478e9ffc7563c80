"""What docs/depth.md says is so: its Python runs, columns and keys are those that it names."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tradingd.backtesting.depth import DepthEvents, DepthResult, depth_backtest
from tradingd.backtesting.depth.settings import DepthSettings, DepthVenueSettings
from tradingd.kernels.depth_quotes import OWN, VIEW, WANTED

DOC = (Path(__file__).resolve().parents[3] / "docs" / "depth.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
NOT_OF_VIEW = {"bid_size", "ask_size", "state", "ticks", "lots", "left"}
OF_THE_BOOK = {"base", "cells", "bid", "ask", "sizes"}  # for bid_size and ask_size


def cells(heading: str) -> list[str]:
    """Names in the first cells of the table after `heading`."""
    table = DOC.split(heading)[1].split("\n\n")[0]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [name for cell in first for name in re.findall(r"`([\w.]+)", cell)]


def test_the_first_python_of_the_page_runs() -> None:
    names: dict[str, Any] = {}
    exec(BLOCKS[0], names)
    result = names["result"]
    assert isinstance(result, DepthResult)
    assert result.counts["fills"] == 1
    for frame in ("fills", "equity"):
        (columns,) = re.findall(rf"^result\.{frame}  # polars: (.*)$", BLOCKS[0], re.MULTILINE)
        assert getattr(result, frame).columns == columns.split(", ")
    (counts,) = re.findall(r"^result\.counts  # (.*)$", BLOCKS[0], re.MULTILINE)
    assert list(result.counts) == counts.split(", ")
    assert set(result.counts) | {"profit", "fees", "turnover", "max_drawdown"} <= set(result.summary)
    assert repr(result).startswith("<touch on DATA:depth: 5 events, ")


def test_the_maker_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lean.py").write_text(BLOCKS[1])
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    ts = np.arange(2000) * 10_000_000
    kind = rng.integers(0, 4, 2000).astype(np.uint8)
    ticks = np.where(np.isin(kind, (0, 3)), 50, 52) + np.where(kind == 0, -rng.integers(0, 2, 2000), 0)
    events = DepthEvents.ordered(ts, ts, kind, ticks, rng.integers(5, 20, 2000).astype(float))
    result = depth_backtest("lean.py:lean", events, instrument={"tick_size": 1.0, "lot_size": 1.0})
    assert result.counts["fills"] > 0


def test_what_a_step_sees_and_wants_is_named() -> None:
    seen = set(cells("| of `view` | |")) - NOT_OF_VIEW
    assert sorted(seen) == sorted(set(VIEW.names or ()) - OF_THE_BOOK)
    assert {"state", "ticks", "lots", "left"} == set(OWN.names or ())
    assert sorted(cells("| of `wanted` | |")) == sorted(WANTED.names or ())


def test_what_can_be_set_is_named() -> None:
    named = set(cells("| key | meaning | default |"))
    venue = {f"venue.{name}" for name in DepthVenueSettings.__struct_fields__}
    assert named - {"balance"} == venue | set(DepthSettings.__struct_fields__) - {"kind", "strategy", "venue"}
