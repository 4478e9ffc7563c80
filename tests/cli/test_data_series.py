"""trade data roll and adjust, as a shell runs them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
HEAD = "when,open,high,low,close,volume"
ROLL = ("trade", "data", "roll", "X:A", "X:B", "--into", "X:ALL", "--name", "1d")
ADJUST = ("trade", "data", "adjust", "X:S", "--name", "1d")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """Contracts A and B, of which B is traded more from the 3rd on, and a share S that is split on the 3rd."""
    monkeypatch.chdir(tmp_path)
    bring(run, "A", (1, 10, 9), (2, 11, 8), (3, 12, 1), (4, 13, 1))
    bring(run, "B", (2, 13, 1), (3, 14, 5), (4, 15, 9), (5, 16, 9))
    bring(run, "S", (1, 40, 10), (2, 42, 10), (3, 21, 20), (4, 22, 20))
    return tmp_path


def bring(run: Run, symbol: str, *rows: tuple[int, float, int]) -> None:
    lines = [f"2024-01-{day:02d},{price},{price},{price},{price},{volume}" for day, price, volume in rows]
    Path("bars.csv").write_text("\n".join([HEAD, *lines]) + "\n")
    words = ("-f", "csv", "-t", "1d", "--stamp", "open", "--timezone", "UTC", "--columns", "ts=when")
    assert run("trade", "data", "import", "bars.csv", "-i", f"X:{symbol}", *words).code == 0


def test_roll_says_when_and_by_how_much(place: Path, run: Run) -> None:
    ran = run(*ROLL, "--at", "2024-01-03")
    assert (ran.code, ran.err, ran.out.splitlines()) == (
        0,
        "",
        ["X:ALL bars-1d: 5 bars, 2024-01-01 to 2024-01-06", "  2024-01-03 00:00  X:A to X:B"],
    )
    ran = run(*ROLL, "--volume-days", "1", "--adjust", "ratio", "--replace")
    closes = "closes of 12 and 14 at 2024-01-04 00:00, difference 2, ratio 1.16667"
    assert ran.out.splitlines()[1:] == [f"  2024-01-04 00:00  X:A to X:B: {closes}"]
    ran = run(*ROLL, "--volume-days", "1", "--adjust", "ratio")
    assert ran.out.splitlines()[0] == "X:ALL bars-1d: 5 bars, 2024-01-01 to 2024-01-06, as before"
    found = json.loads(run(*ROLL, "--at", "2024-01-03", "--adjust", "difference", "--replace", "--json").out)
    assert (found["changed"], found["record"]["rows"], found["rolls"][0]["difference"]) == (True, 5, 2.0)


def test_roll_tells_of_sessions_without_a_bar(place: Path, run: Run) -> None:
    bring(run, "LATE", (8, 20, 1))
    ran = run("trade", "data", "roll", "X:A", "X:LATE", "--into", "X:ALL", "-n", "1d", "--at", "2024-01-08")
    assert ran.out.splitlines()[-1] == "    3 sessions without a bar after 2024-01-05 00:00, when X:A ends"


def test_what_is_found_is_shown_and_adjusted_for_on_request(place: Path, run: Run) -> None:
    ran = run(*ADJUST, "--found")
    assert (ran.code, ran.out) == (0, "--split 2024-01-03=2\nnothing changed; --yes takes all of them\n")
    found = json.loads(run(*ADJUST, "--found", "--json").out)
    assert (found["found"], found["applied"], found["kept"]) == ([{"day": "2024-01-03", "ratio": "2"}], [], None)
    ran = run(*ADJUST, "--found", "--yes", "--dividend", "2024-01-04=1.05")
    assert (ran.code, ran.err, ran.out.splitlines()) == (
        0,
        "",
        [
            "X:S bars-1d: 3 of 4 bars adjusted",
            "  2024-01-03  split of 2        42 then 21  factor 0.5",
            "  2024-01-04  dividend of 1.05  21 then 22  factor 0.95",
            "the file from before is data/X+S/bars-1d.before-1.parquet",
        ],
    )
    assert run("trade", "data", "ls").out.splitlines()[-1].endswith("bars.csv, adjust")


def test_a_split_that_is_named_counts_once(place: Path, run: Run) -> None:
    found = json.loads(run(*ADJUST, "--split", "2024-01-03=2:1", "--found", "--yes", "--json").out)
    assert [each["split"] for each in found["applied"]] == ["2"]
    assert found["record"]["steps"][0]["name"] == "adjust"


def test_where_no_split_is_found_that_is_said(place: Path, run: Run) -> None:
    ran = run("trade", "data", "adjust", "X:A", "--name", "1d", "--found")
    assert (ran.code, ran.out) == (0, "no split is found; nothing changed\n")


WRONG = [
    ("roll X:A X:B --into X:ALL --name 1d", "say when to roll: --at DATE for each roll, or --volume-days N"),
    ("roll X:A X:B --into X:ALL --name 1d --at soon", "'soon' is no date; write it as 2014-06-09"),
    ("roll X:A X:B --into ALL --name 1d --at 2024-01-03", "'ALL' is no instrument; write it as VENUE:SYMBOL"),
    ("roll X:A X:B --into X:ALL --name 1h --at 2024-01-03", "data has no bars-1h of X:A; it has bars-1d"),
    ("roll X:A X:B --into X:S --name 1d --at 2024-01-03", "data holds 4 other rows of X:S bars-1d; --replace puts"),
    ("adjust X:S --name 1d", "say what to adjust for: --split DATE=RATIO, --dividend DATE=AMOUNT, or --found"),
    ("adjust X:S --name 1d --yes", "--yes says that what --found finds is so"),
    ("adjust X:S --name 1d --split 2024-01-03", "'2024-01-03' is no NAME=VALUE; write it like --split 2014-06-09=7"),
    ("adjust X:S --name 1d --split 2024-01-04=2", "no split of 2 is in the prices of 2024-01-04: 21 then 22"),
    ("adjust X:S --name 1d --dividend 2024-01-04=x", "'x' is no amount of a dividend; write it like 0.82"),
]


@pytest.mark.parametrize(("words", "said"), WRONG, ids=[words for words, _ in WRONG])
def test_what_is_wrong_is_one_line_and_changes_nothing(place: Path, run: Run, words: str, said: str) -> None:
    before = {file: file.read_bytes() for file in place.glob("data/*/*")}
    ran = run("trade", "data", *words.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith(f"error: {said}")
    assert {file: file.read_bytes() for file in place.glob("data/*/*")} == before


def test_kind_is_for_files_that_hold_several(place: Path, run: Run) -> None:
    ran = run("trade", "data", "import", "bars.csv", "-i", "X:A", "-f", "dbn", "--kind", "trades")
    assert (ran.code, ran.out) == (2, "")
    assert "is no DBN file" in ran.err or "pip install 'tradingd[dbn]'" in ran.err
