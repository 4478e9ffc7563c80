"""The table of recorded markets in docs/backtesting.md is what comes out."""

import re
from pathlib import Path

import pytest

from . import shown

pytestmark = pytest.mark.realdata
DOC = (Path(__file__).resolve().parents[2] / "docs" / "backtesting.md").read_text(encoding="utf-8")


def test_the_table_is_what_comes_out(realdata: Path) -> None:
    section = DOC.split("## Recorded markets\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| [A-Z]+:.* \|$", section, re.MULTILINE)
    assert rows == list(shown.table(realdata))
