"""The page of a what-if holds the figures of both sides and nothing that a journal could smuggle in."""

from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from tradingd.audit.what_if import Differing, WhatIf, from_recorded, what_if
from tradingd.audit.what_if_page import page, side_by_side
from tradingd.journal.reader import JournalReader


class Cells(HTMLParser):
    """Texts of table cells, and what would load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.loads: list[str] = []
        self.scripts = 0
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.loads += [name for name, _ in attrs if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        self._inside &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data.strip()


@pytest.fixture
def found(reader: JournalReader) -> WhatIf:
    return what_if(reader, from_recorded(reader, ["strategies.cross.params.fast=7"]))


def test_the_page_has_both_sides_and_loads_nothing(found: WhatIf) -> None:
    cells = Cells(page("journal/demo", found))
    assert [list(row) for row in side_by_side(found)] == cells.rows[1 : 1 + len(side_by_side(found))]
    assert [row[0] for row in cells.rows if row[0] == "decisions"] == ["decisions"]
    assert len(cells.rows) == 2 + len(side_by_side(found)) + len(found.first)
    assert (cells.loads, cells.scripts) == ([], 0)


def test_what_a_journal_says_is_text(found: WhatIf) -> None:
    said = "<script>alert(1)</script>"
    cells = Cells(page(said, replace(found, first=[Differing(1, said, said, None)])))
    assert cells.scripts == 0
    assert cells.rows[-1] == [f"1, {said}", said, "no decision"]
