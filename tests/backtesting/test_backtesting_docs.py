"""What docs/backtesting.md says is so: its Python runs, and what can be set can be set."""

import re
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from wavy_market import waves

from tradingd.backtesting.portfolio import run_config
from tradingd.backtesting.result import Result
from tradingd.backtesting.settings import plain, settings_of
from tradingd.catalogue.shapes import SCHEMAS, Kind
from tradingd.catalogue.store import Catalogue, new_record
from tradingd.config.load import resolve
from tradingd.config.overrides import apply_overrides, parse_value
from tradingd.instruments import DAY_NS

DOC = (Path(__file__).resolve().parents[2] / "docs" / "backtesting.md").read_text(encoding="utf-8")


def test_the_python_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL))
    folder = tmp_path / "data" / "SIM+ALFA"
    folder.mkdir(parents=True)
    waves().write_parquet(folder / "bars-1m.parquet")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(code, names)
    result = names["result"]
    assert isinstance(result, Result)
    assert names["table"]["fast"].to_list() == [5, 10, 20]
    for frame in ("trades", "equity"):
        (columns,) = re.findall(rf"^result\.{frame}  # polars: (.*)$", code, re.MULTILINE)
        said = columns.replace("entry and exit", "entry_ts_ns, entry_price, exit_ts_ns, exit_price")
        assert getattr(result, frame).columns == said.split(", ")


def test_closes_of_a_catalogue_are_prints_of_the_feed_on_the_page(tmp_path: Path) -> None:
    (feed,) = re.findall(r"^```toml\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
    closes, days = [40.0, 41.5, 39.75], [DAY_NS * day for day in range(19_000, 19_004)]
    blank = [None] * len(closes)
    prices = {"open": blank, "high": blank, "low": blank, "close": closes, "volume": blank}
    frame = pl.DataFrame({"ts_open_ns": days[:-1], "ts_close_ns": days[1:], **prices}, schema=SCHEMAS[Kind.BARS])
    Catalogue(tmp_path / "data").write(new_record("US:KO", Kind.BARS, "1d", ()), frame)
    stock = {"id": "US:KO", "asset_class": "equity", "tick_size": 0.01, "lot_size": 1, "currency": "USD"}
    account = {"currency": "USD", "balance": "1000", "unit": "0.01"}
    raw = {"name": "closes", "instruments": [stock], "accounts": [account], "bars": {"timeframes": ["1d"]}}
    (played,) = run_config(resolve(raw | tomllib.loads(feed), tmp_path), tmp_path).assets
    assert played.bars.close.tolist() == closes[:-1]  # the last day is over when the next one prints


def test_what_can_be_set() -> None:
    cells = re.findall(r"^\| (`.*?`) \|", DOC.split("## What is set")[1].split("\n## ")[0], re.MULTILINE)
    examples = [
        text for cell in cells for text in re.findall(r"`(.*?)`", cell) if "NAME" not in text and "KEY" not in text
    ]
    assert len(examples) > 4
    instrument = {"id": "A:B", "asset_class": "equity", "tick_size": 0.01, "lot_size": 1, "currency": "USD"}
    raw = {"kind": "sma_cross", "instrument": instrument, "account": {"currency": "USD", "balance": "1"}}
    for example in (text for text in examples if text != "--set"):
        parse_value(example.partition("=")[2])
        table = plain(raw)
        apply_overrides(table, [example])
        settings_of(table)
