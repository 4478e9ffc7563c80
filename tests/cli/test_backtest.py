"""trade backtest, as a shell runs it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_day import write_config
from wavy_market import waves

Run = Callable[..., Any]


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    rows = 400
    close = np.round(100 + 5 * np.sin(np.arange(rows) / 15), 2)
    opened = np.concatenate([[100.0], close[:-1]])
    times = np.arange(rows, dtype=np.int64) * 86_400_000_000_000
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    columns = {"open": opened, "high": high, "low": low, "close": close}
    path = tmp_path / "wave.parquet"
    pl.DataFrame({"ts_open_ns": times, "ts_close_ns": times + 1_000, **columns}).write_parquet(path)
    return path


def test_a_summary(bars: Path, run: Run) -> None:
    ran = run("trade", "backtest", "--strategy", "sma_cross", "--data", bars, "--set", "strategy.fast=5")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("sma_cross fast=5 on DATA:wave: 400 bars, 1970-01-01 to ")
    for part in ("return ", "Sharpe ", "max drawdown ", "trades "):
        assert part in ran.out


def test_what_is_not_defined_has_no_unit(bars: Path, run: Run) -> None:
    ran = run("trade", "backtest", "-s", "sma_cross", "-d", bars, "--set", "strategy.slow=4000")
    shown = {line.split("  ")[-1].strip() for line in ran.out.splitlines() if "expectancy" in line}
    assert (ran.code, shown) == (1, {"-"})


def test_an_object_and_the_trades_in_a_file(bars: Path, run: Run, tmp_path: Path) -> None:
    ran = run("trade", "backtest", "-s", "sma_cross", "-d", bars, "--json", "--trades", tmp_path / "trades.parquet")
    found = json.loads(ran.out)
    assert (ran.code, found["strategy"], found["instrument"]) == (0, "sma_cross", "DATA:wave")
    trades = pl.read_parquet(tmp_path / "trades.parquet")
    assert len(trades) == found["metrics"]["closed_trades"] + found["metrics"]["open_trades"] > 2


def test_the_catalogue_says_the_instrument(bars: Path, run: Run) -> None:
    bars.with_suffix(".json").write_text('{"instrument": "US:WAVE"}')
    assert " on US:WAVE: " in run("trade", "backtest", "-s", "sma_cross", "-d", bars).out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--set", "strategy.slow=4000"), 1, "no trades: sma_cross needs 4,000 bars before it decides; 400 are there"),
        (("--set", "strategy.fasst=3"), 2, "error: strategy sma_cross has no parameter 'fasst'"),
        (("--set", "instrument.lots=1"), 2, "error: instrument.lots: unknown key"),
        (("--balance", "much"), 2, "error: account.balance: expected money above 0 as text, like"),
        (
            ("--balance", "-5"),
            2,
            'error: account.balance: expected money above 0 as text, like "100000" or "2500.50", got \'-5\'',
        ),
        (("--set", "account.balance=5"), 2, "error: account.balance: expected money above 0 as text, like"),
        (("--data", "none.parquet"), 2, "error: none.parquet is no file"),
        (("--trades", "none/x.parquet"), 2, "error: none/x.parquet can not be written: there is no folder none"),
    ],
)
def test_what_is_wrong_is_one_line(bars: Path, run: Run, arguments: tuple[str, str], code: int, said: str) -> None:
    ran = run("trade", "backtest", "-s", "sma_cross", "--data", bars, *arguments)
    assert (ran.code, len(ran.err.splitlines())) == (code, 1)
    assert ran.err.startswith(said)


def test_a_config_is_run_whole(run: Run, tmp_path: Path) -> None:
    written = ("--trades", tmp_path / "trades.parquet", "--report", tmp_path / "report.html")
    ran = run("trade", "backtest", "-c", write_config(tmp_path), *written)
    assert (ran.code, ran.err) == (0, "")
    assert "cross, coin on SIM:ALFA, SIM:BETA" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert ran.out.startswith("cross, coin on 2 instruments: ")
    assert ran.out.count("SIM:BETA") == 1
    assert set(pl.read_parquet(tmp_path / "trades.parquet")["instrument"]) == {"SIM:ALFA", "SIM:BETA"}
    found = json.loads(run("trade", "backtest", "-c", tmp_path / "small.toml", "--json").out)
    assert list(found["assets"]) == ["SIM:ALFA", "SIM:BETA"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "error: give --strategy and --data, or --config"),
        (("-c", "any.toml", "-s", "sma_cross"), "error: --strategy does not go with --config"),
        (("-c", "any.toml", "--compare-engines"), "error: --compare-engines does not go with --config"),
        (("-c", "none.toml"), "error: none.toml: no such file"),
        (("-c", "none.toml", "--report", "none/x.html"), "error: none/x.html can not be written: there is no folder"),
    ],
)
def test_half_a_command_is_one_line(run: Run, arguments: tuple[str, ...], said: str) -> None:
    ran = run("trade", "backtest", *arguments)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1), ran.err
    assert ran.err.startswith(said)


def test_engines_are_compared(bars: Path, run: Run, tmp_path: Path) -> None:
    ran = run("trade", "backtest", "-s", "sma_cross", "-d", bars, "--compare-engines")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-2:] == [f"{name}: the same trades, to the last unit" for name in ("event", "daemon")]


def test_a_daemon_that_is_compared_tells_nothing_of_its_orders(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    waves().with_columns(volume=pl.lit(500.0)).write_parquet(tmp_path / "waves.parquet")
    share = ("--set", "simulation.volume_share=1.0")  # an exit that comes when nothing is left is rejected
    ran = run("trade", "backtest", "-s", "donchian", "-d", tmp_path / "waves.parquet", "--compare-engines", *share)
    assert (ran.code, ran.err, caplog.records) == (0, "", [])


def test_a_journal_and_a_report(bars: Path, run: Run, tmp_path: Path) -> None:
    journal, report = tmp_path / "journal", tmp_path / "report.html"
    assert run("trade", "backtest", "-s", "sma_cross", "-d", bars, "--journal", journal, "--report", report).code == 0
    assert run("trade", "replay", "--verify", journal).code == 0
    assert report.read_text().startswith("<!doctype html>")
    again = run("trade", "backtest", "-s", "sma_cross", "-d", bars, "--journal", journal)
    assert (again.code, len(again.err.splitlines())) == (2, 1)
    kernel = run("trade", "backtest", "-s", "sma_cross", "-d", bars, "--journal", tmp_path / "j", "--engine", "kernel")
    assert kernel.err.startswith("error: a journal is kept by the event engine alone")


@pytest.fixture
def other(bars: Path) -> Path:
    path = bars.with_name("other.parquet")
    prices = [pl.col(name) * 2 for name in ("open", "high", "low", "close")]
    pl.read_parquet(bars).with_columns(prices).write_parquet(path)
    return path


def test_several_files_are_one_account(bars: Path, other: Path, run: Run, tmp_path: Path) -> None:
    trades, report = tmp_path / "trades.parquet", tmp_path / "report.html"
    ran = run("trade", "backtest", "-s", "sma_cross", "-d", bars, "-d", other, "--trades", trades, "--report", report)
    assert (ran.code, ran.err) == (0, "")
    assert "<h1>sma_cross on DATA:wave, DATA:other</h1>" in report.read_text()
    assert ran.out.startswith("sma_cross on 2 instruments: 400 closes, 1970-01-01 to ")
    assert set(pl.read_parquet(trades)["instrument"]) == {"DATA:wave", "DATA:other"}
    found = json.loads(run("trade", "backtest", "-s", "sma_cross", "-d", other, "-d", bars, "--json").out)
    assert (list(found["assets"]), found["strategies"]) == (["DATA:other", "DATA:wave"], ["sma_cross"])


@pytest.mark.parametrize("arguments", [("--engine", "kernel"), ("--compare-engines",), ("--funding", "rates.csv")])
def test_what_is_of_one_file_is_refused_with_several(
    bars: Path, other: Path, run: Run, arguments: tuple[str, ...]
) -> None:
    ran = run("trade", "backtest", "-s", "sma_cross", "-d", bars, "-d", other, *arguments)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert ran.err.startswith(f"error: {arguments[0]} does not go with several files: ")
