"""trade depth, as a shell runs it."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from built_wheel import ROOT
from tradingd_cli import depth

from tradingd.backtesting.depth import reading

Run = Callable[..., Any]
DOC = (ROOT / "docs" / "depth.md").read_text(encoding="utf-8")
(EVENTS,) = re.findall(r"^```text\n(ts_event_ns.*?)^```", DOC, re.MULTILINE | re.DOTALL)
((COMMAND, OUTPUT),) = re.findall(r"^```console\n\$ (trade depth .*?)\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
GRIDS = ("--set", "instrument.tick_size=0.5", "--set", "instrument.lot_size=0.01")


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """depth.csv of the docs, in the folder that commands run in."""
    (tmp_path / "depth.csv").write_text(EVENTS)
    monkeypatch.chdir(tmp_path)
    return "depth.csv"


def test_the_example_of_the_docs(events: str, run: Run) -> None:
    ran = run(*shlex.split(COMMAND))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == OUTPUT


def test_an_object_and_the_fills_in_a_file(events: str, run: Run, tmp_path: Path) -> None:
    ran = run(*shlex.split(COMMAND), "--json", "--fills", "fills.parquet")
    found = json.loads(ran.out)
    (keys,) = re.findall(r"prints one object with the keys (.*?);", DOC, re.DOTALL)
    assert list(found) == re.findall(r"`(\w+)`", keys)
    assert (ran.code, found["strategy"], found["summary"]["fills"]) == (0, "touch", 1)
    assert pl.read_parquet(tmp_path / "fills.parquet")["price"].to_list() == [99.5]


def test_quotes_and_trades_of_a_catalogue(run: Run, tmp_path: Path) -> None:
    times = {"ts_event_ns": [0, 1_000_000_000], "ts_received_ns": [0, 1_000_000_000], "flags": [0, 2]}
    sides = {"bid": [100.0, 100.0], "bid_size": [1.0, 1.0], "ask": [100.5, 100.5], "ask_size": [1.0, 1.0]}
    pl.DataFrame(times | sides).write_parquet(tmp_path / "quotes.parquet")
    prints = {"price": [100.0, 99.0], "size": [1.0, 1.0], "venue_id": [0, 1]}
    pl.DataFrame(times | prints).write_parquet(tmp_path / "trades.parquet")
    files = ("-d", tmp_path / "quotes.parquet", "--trades", tmp_path / "trades.parquet", "--format", "ticks")
    ran = run("trade", "depth", "-s", "touch", *files, *GRIDS)
    assert (ran.code, ran.err) == (0, "")
    assert " fills        1" in ran.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--set", "strategy.ticks_away=9"), 1, "no fills: touch sent 2 orders, and the market reached none of them"),
        (("--set", "step_ns=3600000000000"), 1, "no fills: touch sent no order in 0 steps"),
        (("--set", "strategy.lot=1"), 2, "error: strategy touch has no parameter 'lot'"),
        (("--set", "venue.latency=1"), 2, "error: venue.latency: unknown key"),
        (("--set", "instrument.tick_size=0.3"), 2, "error: "),
        (("--data", "none.csv"), 2, "error: none.csv is no file; give recorded depth"),
        (("--trades", "depth.csv"), 2, "error: trades does not go with the format events; it goes with tardis, ticks"),
        (("--format", "binance"), 2, "error: depth.csv, line 1: no receive time before the frame"),
        (("-s", "toch"), 2, "error: no market maker 'toch'; there is touch"),
    ],
)
def test_what_is_wrong_is_one_line(events: str, run: Run, arguments: tuple[str, str], code: int, said: str) -> None:
    ran = run("trade", "depth", "-s", "touch", "-d", events, *GRIDS, *arguments)
    assert (ran.code, len(ran.err.splitlines())) == (code, 1), ran.err
    assert ran.err.startswith(said)


def test_the_formats_are_those_that_are_read() -> None:
    assert [form.value for form in depth.Format] == [form.value for form in reading.Format]


def test_grids_are_asked_for(events: str, run: Run) -> None:
    ran = run("trade", "depth", "-s", "touch", "-d", events)
    assert ran.code == 2
    assert [line.split(":")[1].strip() for line in ran.err.splitlines()] == [
        "instrument.tick_size",
        "instrument.lot_size",
    ]
