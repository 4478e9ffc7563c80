"""What docs/data.md says is so: its Python runs, its formats and rules are all there are."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tradingd.catalogue import check_bars, check_hours, check_ticks
from tradingd.catalogue.formats import FORMATS
from tradingd.catalogue.shapes import SCHEMAS, Kind
from tradingd.catalogue.store import Catalogue, new_record

DOC = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
HOUR = 3600 * 10**9


def first_cells(heading: str) -> set[str]:
    """Names in the first column of the table under a heading."""
    section = DOC.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {name for cell in rows for name in re.findall(r"`(\w+)`", cell)}


def test_the_python_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = Catalogue(tmp_path / "data")
    for first, instrument in enumerate(("US:SPY", "FX:EURUSD")):
        rows = [(n * HOUR, (n + 1) * HOUR, 1.0, 1.0, 1.0, 1.0, None) for n in range(first, first + 2)]
        frame = pl.DataFrame(rows, schema=SCHEMAS[Kind.BARS], orient="row")
        catalogue.write(new_record(instrument, Kind.BARS, "1h", ()), frame)
    (code,) = re.findall(r"^```python\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["closes"].rows() == [(HOUR, 1.0, None), (2 * HOUR, 1.0, 1.0), (3 * HOUR, None, 1.0)]


def test_every_format_is_in_the_table() -> None:
    assert first_cells("Import") == {*FORMATS, "panel", "journal"}


def test_every_rule_is_in_the_table() -> None:
    sources = "".join(Path(str(module.__file__)).read_text() for module in (check_bars, check_hours, check_ticks))
    assert first_cells("Check") == set(re.findall(r'where\(\s*"(\w+)"', sources))


def test_the_columns_are_those_of_the_files() -> None:
    rows = re.findall(r"^\| `(bars|trades|quotes)\S*` \| (.*) \|$", DOC, re.MULTILINE)
    assert {Kind(kind): re.findall(r"`(\w+)`", cells) for kind, cells in rows} == {
        kind: schema.names() for kind, schema in SCHEMAS.items()
    }
