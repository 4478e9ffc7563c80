"""trade strategy: ls, new, lookahead, warmup."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

Run = Callable[..., Any]


def test_what_there_is_is_listed_with_its_parameters(run: Run) -> None:
    found = json.loads(run("trade", "strategy", "ls", "--json").out)["strategies"]
    by_kind = {item["kind"]: item for item in found}
    assert by_kind["sma_cross"]["params"]["slow"] == 50
    assert by_kind["trailing_atr"]["role"] == "exit"
    lines = run("trade", "strategy", "ls").out.splitlines()
    assert len(lines) == len(found)
    assert all(item["summary"] in line for item, line in zip(found, lines, strict=True))


def test_a_new_strategy_passes_its_own_test(tmp_path: Path, run: Run) -> None:
    ran = run("trade", "strategy", "new", "my_idea", "--folder", tmp_path / "ideas", "--json")
    made = json.loads(ran.out)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", made["test"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_strategy_is_what_a_config_can_name(tmp_path: Path, run: Run) -> None:
    kind = json.loads(run("trade", "strategy", "new", "my_idea", "--folder", tmp_path, "--json").out)["kind"]
    run("trade", "config", "init", tmp_path / "mine.toml")
    changed = ("--set", f'strategies.cross.kind="{kind}"', "--set", "strategies.cross.params={ period = 5 }")
    assert run("trade", "config", "check", tmp_path / "mine.toml", *changed).code == 0


def test_a_strategy_is_never_written_over(tmp_path: Path, run: Run) -> None:
    (tmp_path / "mine.py").write_text("precious")
    ran = run("trade", "strategy", "new", "mine", "--folder", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    assert (tmp_path / "mine.py").read_text() == "precious"


def test_a_name_that_is_none_is_2(run: Run) -> None:
    assert run("trade", "strategy", "new", "My Idea").code == 2


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    rows = 300
    close = np.round(100 + 5 * np.sin(np.arange(rows) / 9), 2)
    times = np.arange(rows, dtype=np.int64) * 60_000_000_000
    columns = {"ts_open_ns": times, "ts_close_ns": times + 60_000_000_000} | dict.fromkeys(
        ("open", "high", "low", "close"), close
    )
    pl.DataFrame(columns).write_csv(tmp_path / "waves.csv")
    return tmp_path / "waves.csv"


def test_lookahead(waves: Path, run: Run) -> None:
    ran = run("trade", "strategy", "lookahead", "sma_cross", "--data", waves, "--set", "slow=20")
    assert (ran.code, ran.out) == (0, "sma_cross: the same without the future, at 20 cuts of 300 bars\n")


def test_warmup(waves: Path, run: Run) -> None:
    ran = run("trade", "strategy", "warmup", "sma_cross", "-d", waves, "--set", "slow=30")
    assert (ran.code, ran.out) == (0, "sma_cross needs 30 bars; it declares 30\n")
    found = json.loads(run("trade", "strategy", "warmup", "sma_cross", "-d", waves, "--json").out)
    assert found == {"bars": 300, "declared": 50, "needed": 50}


def test_a_strategy_that_declares_too_little_is_no(waves: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "hasty.py").write_text(
        "from tradingd.kernels.indicators import sma_state, sma_step\n"
        "from tradingd.strategies.contract import compiled\n\n\n"
        "@compiled(state=lambda p: {'mean': sma_state(40)}, warmup=lambda p: 5)\n"
        "def hasty(state, bar, params, out):\n"
        "    out.target = 1.0 if bar.close > sma_step(state.mean, bar.close) else -1.0\n"
    )
    ran = run("trade", "strategy", "warmup", f"{tmp_path / 'hasty.py'}:hasty", "-d", waves)
    assert (ran.code, ran.out) == (1, f"{tmp_path / 'hasty.py'}:hasty needs 40 bars; it declares 5\n")


def test_questions_that_make_no_sense(waves: Path, run: Run) -> None:
    for wrong in (("nope",), ("sma_cross", "--set", "sloow=3"), ("sma_cross", "--set", "slow")):
        ran = run("trade", "strategy", "lookahead", *wrong, "--data", waves)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
