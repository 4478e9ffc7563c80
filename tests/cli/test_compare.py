"""trade compare: two results side by side."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_day import write_config
from wavy_market import waves

Run = Callable[..., Any]


@pytest.fixture
def results(tmp_path: Path, run: Run) -> tuple[Path, Path]:
    waves().write_parquet(tmp_path / "waves.parquet")
    made = []
    for name, fast in (("a", 5), ("b", 12)):
        command = ("trade", "backtest", "-s", "sma_cross", "-d", tmp_path / "waves.parquet", "--json")
        (tmp_path / f"{name}.json").write_text(run(*command, "--set", f"strategy.fast={fast}").out)
        made.append(tmp_path / f"{name}.json")
    return made[0], made[1]


def test_what_differs_and_by_how_much(results: tuple[Path, Path], run: Run) -> None:
    a, b = results
    found = json.loads(run("trade", "compare", a, b, "--json").out)
    assert (found["same_data"], found["same_code"]) == (True, True)
    assert found["settings"] == [{"name": "strategy.fast", "a": 5, "b": 12, "change": 7}]
    final = next(row for row in found["metrics"] if row["name"] == "final_equity")
    assert final["change"] == final["b"] - final["a"] != 0
    lines = run("trade", "compare", a, b).out.splitlines()
    assert lines[0].split() == [str(a), str(b), "change"]
    assert lines[1].split() == ["strategy.fast", "5", "12", "+7"]


def test_other_data_is_said(results: tuple[Path, Path], run: Run) -> None:
    a, b = results
    b.write_text(b.read_text().replace('"data_digest":"', '"data_digest":"0'))
    assert run("trade", "compare", a, b).out.splitlines()[0] == "not the same data"


@pytest.mark.parametrize("content", ["", "[1]", '{"metrics": 3}', "not json"])
def test_what_is_no_result_is_one_line(results: tuple[Path, Path], run: Run, content: str) -> None:
    a, b = results
    b.write_text(content)
    ran = run("trade", "compare", a, b)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    missing = run("trade", "compare", a, "none.json")
    assert (missing.code, missing.err) == (
        2,
        "error: none.json is no file; write it with `trade backtest ... --json > none.json`\n",
    )


def test_what_a_config_lists_is_told_by_the_names_that_set_takes(tmp_path: Path, run: Run) -> None:
    written = []
    for name, change in (("a", ()), ("b", ("--set", "strategies.cross.params.fast=9"))):
        written.append(tmp_path / f"{name}.json")
        written[-1].write_text(run("trade", "backtest", "-c", write_config(tmp_path), "--json", *change).out)
    found = json.loads(run("trade", "compare", *written, "--json").out)
    assert found["settings"] == [{"name": "strategies.cross.params.fast", "a": 5, "b": 9, "change": 4}]
    a, b = (json.loads(path.read_text())["assets"]["SIM:BETA"]["fees"] for path in written)
    assert {"name": "SIM:BETA.fees", "a": a, "b": b, "change": b - a} in found["assets"]
    assert "SIM:ALFA.max_drawdown " in run("trade", "compare", *written).out
