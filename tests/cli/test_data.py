"""trade data, as a shell runs it: in an empty folder, with what is wrong in it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audited_day import play_day

Run = Callable[..., Any]
LINES = [f"2020-01-0{day} {hour:02d}:{minute:02d}" for day in (6, 7) for hour in range(24) for minute in (0, 30)]
HALF_HOURS = ["bars.csv", "-i", "US:SPY", "-f", "csv", "-t", "30m", "--stamp", "open", "--timezone", "UTC", "--columns"]
IMPORT = ("trade", "data", "import", *HALF_HOURS, "ts=when")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, but for a file of two days."""
    monkeypatch.chdir(tmp_path)
    write_bars(tmp_path / "bars.csv")
    return tmp_path


def write_bars(file: Path, *more: str) -> None:
    rows = [f"{when},{100 + n % 5},{102 + n % 5},99,{101 + n % 5},10" for n, when in enumerate(LINES)]
    file.write_text("\n".join(["when,open,high,low,close,volume", *rows, *more]) + "\n")


def object_of(ran: Any) -> dict[str, Any]:
    assert ran.err == ""
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_import_says_what_it_made_and_again_that_nothing_changed(place: Path, run: Run) -> None:
    ran = run(*IMPORT)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "US:SPY bars-30m: 96 rows, 2020-01-06 to 2020-01-08, 0.0 MB in data/US+SPY/bars-30m.parquet\n"
    ran = run(*IMPORT)
    said = "US:SPY bars-30m: nothing changed; data/US+SPY/bars-30m.parquet holds these rows already\n"
    assert (ran.code, ran.out) == (0, said)
    (imported,) = object_of(run(*IMPORT, "--json"))["imported"]
    assert (imported["changed"], imported["read"], imported["record"]["rows"]) == (False, 96, 96)


def test_other_rows_want_replace(place: Path, run: Run) -> None:
    run(*IMPORT)
    write_bars(place / "bars.csv", "2020-01-08 00:00,1,1,1,1,1")
    ran = run(*IMPORT)
    said = "error: data holds 96 other rows of US:SPY bars-30m; --replace puts these 97 in their place\n"
    assert (ran.code, ran.out, ran.err) == (2, "", said)
    assert run(*IMPORT, "--replace").out.startswith("US:SPY bars-30m: 97 rows")


def test_rejected_rows_are_shown_and_strict_refuses_them(place: Path, run: Run) -> None:
    write_bars(place / "bars.csv", "soon,1,1,1,1,1", *["2020-01-08 00:00,x,1,1,1,1"] * 9)
    ran = run(*IMPORT, "--strict")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(
        "error: 10 rows of bars.csv were rejected, and --strict allows none; the first: bars.csv:98:"
    )
    assert not (place / "data").exists()
    ran = run(*IMPORT)
    assert ran.code == 0
    assert ran.out.splitlines()[1:5] == [
        "  10 rows of 106 rejected:",
        "  1 x 'when' is no time",
        "  9 x open is not a number",
        "    bars.csv:98: 'when' is no time: soon,1,1,1,1,1",
    ]
    assert len(ran.out.splitlines()) == 9


def test_ls_is_a_table_and_an_object(place: Path, run: Run) -> None:
    run(*IMPORT)
    ran = run("trade", "data", "ls")
    assert [line.split() for line in ran.out.splitlines()] == [
        ["instrument", "data", "rows", "from", "to", "MB", "source"],
        ["US:SPY", "bars-30m", "96", "2020-01-06", "2020-01-08", "0.0", "bars.csv"],
    ]
    (record,) = object_of(run("trade", "data", "ls", "--json"))["data"]
    assert (record["instrument"], record["kind"], record["timeframe"]) == ("US:SPY", "bars", "30m")
    assert record["sources"][0]["stamp"] == "open"


def test_check_is_0_for_sound_data_and_1_where_something_is_found(place: Path, run: Run) -> None:
    run(*IMPORT)
    ran = run("trade", "data", "check")
    assert (ran.code, ran.out.splitlines()[1]) == (0, "  nothing found")
    write_bars(place / "bars.csv", "2020-01-08 01:00,0,2,1,1.5,1", "2020-01-08 02:00,1,1,2,1,1")
    run(*IMPORT, "--replace")
    ran = run("trade", "data", "check", "US:SPY", "--name", "30m")
    assert (ran.code, ran.err) == (1, "")
    assert "  gap: 2 findings" in ran.out.splitlines()
    assert "    row 96  2020-01-08 01:00  2 bars are missing after 2020-01-08" in ran.out
    (checked,) = json.loads(run("trade", "data", "check", "--json", "--show", "1").out)["checked"]
    assert checked["findings"] == {"range": 2, "zero": 1, "outlier": 2, "split": 1, "gap": 2}
    assert checked["notes"] == {}
    shown = [each for each in checked["shown"] if each["kind"] == "gap"]
    assert shown == [
        {
            "kind": "gap",
            "note": False,
            "row": 96,
            "ts_ns": 1_578_445_200 * 10**9,
            "ts": "2020-01-08 01:00",
            "text": "2 bars are missing after 2020-01-08 00:00",
        }
    ]


def test_resample_says_what_it_made_and_left_out(place: Path, run: Run) -> None:
    run(*IMPORT)
    ran = run("trade", "data", "resample", "US:SPY", "--from", "30m", "--to", "1h")
    assert (ran.code, ran.out) == (0, "US:SPY bars-1h: 48 bars of 96 rows\n")
    assert run("trade", "data", "resample", "US:SPY", "--from", "30m", "--to", "1h").out.endswith(
        "96 rows, as before\n"
    )
    ran = run("trade", "data", "resample", "US:SPY", "--from", "30m", "--to", "1d", "--session", "12:00-12:00")
    assert ran.out.splitlines() == [
        "US:SPY bars-1d: 1 bar of 96 rows",
        "  partial bars left out (--keep-partial keeps them): 2020-01-05 12:00, 2020-01-07 12:00",
    ]
    found = object_of(run("trade", "data", "resample", "US:SPY", "--from", "30m", "--to", "4h", "--json"))
    assert (found["record"]["rows"], found["partial_ns"], found["outside"], found["changed"]) == (12, [], 0, True)


def test_clean_removes_on_request_and_keeps_the_former_file(place: Path, run: Run) -> None:
    write_bars(place / "bars.csv", "2020-01-07 23:30,1,1,1,1,1", "2020-01-06 00:00,1,1,1,1,1")
    run(*IMPORT)
    ran = run("trade", "data", "clean", "US:SPY", "--name", "30m", "--sort", "--drop-duplicates")
    assert ran.out.splitlines() == [
        "sort: 0 rows removed",
        "drop-duplicates: 2 rows removed",
        "the file from before is data/US+SPY/bars-30m.before-1.parquet",
    ]
    assert (place / "data" / "US+SPY" / "bars-30m.before-1.parquet").exists()
    assert run("trade", "data", "ls").out.splitlines()[1].endswith("bars.csv, sort, drop-duplicates")
    ran = run("trade", "data", "clean", "US:SPY", "--name", "30m", "--sort")
    assert ran.out.splitlines()[-1] == "nothing changed"
    assert object_of(run("trade", "data", "clean", "US:SPY", "-n", "30m", "--sort", "--json"))["kept"] is None
    ran = run(*IMPORT)
    assert (ran.code, "96 other rows of US:SPY bars-30m, after sort and drop-duplicates" in ran.err) == (2, True)


def test_a_journal_is_imported_by_what_it_recorded(place: Path, run: Run) -> None:
    day = play_day(place)
    ran = run("trade", "data", "import", day, "-i", "SIM:ALFA", "-f", "journal", "--kind", "trades")
    assert (ran.code, ran.out.startswith("SIM:ALFA trades: ")) == (0, True)
    ran = run("trade", "data", "import", day, "bars.csv", "-i", "SIM:ALFA", "-f", "journal", "--kind", "trades")
    assert (ran.code, ran.err) == (2, "error: one at a time, where it is a panel or a journal\n")


def test_a_panel_prints_a_line_an_instrument(place: Path, run: Run) -> None:
    (place / "panel.csv").write_text("Date,A,B\n2020-01-02,1,\n2020-01-03,1,2\n")
    words = ("panel.csv", "-i", "US:*", "-f", "panel", "-t", "1d", "--stamp", "open", "--timezone", "UTC")
    ran = run("trade", "data", "import", *words, "--columns", "ts=Date")
    assert (ran.code, [line.split(":")[0:2] for line in ran.out.splitlines()]) == (
        0,
        [
            ["US", "A bars-1d"],
            ["US", "B bars-1d"],
            ["  1 row of 2 left out", " of another instrument or kind, or blank"],
        ],
    )


WRONG = [
    (2, "data ls", "error: there is no catalogue data; `trade data import` makes one"),
    (2, "data check", "error: there is no catalogue data; `trade data import` makes one"),
    (2, "data check US:SPY", "error: there is no catalogue data; `trade data import` makes one"),
    (2, "data resample US:SPY --from 1m --to 1h", "error: there is no catalogue data; `trade data import` makes one"),
    (2, "data clean US:SPY --name 1m --sort", "error: there is no catalogue data; `trade data import` makes one"),
    (2, "data import none.csv -i US:X -f csv", "error: there is no file none.csv"),
    (2, "data import . -i US:X -f csv", "error: . is a folder; name the files in it"),
    (2, "data import empty.csv -i US:X -f csv", "error: empty.csv is empty"),
    (2, "data import bars.csv -i SPY -f csv", "error: 'SPY' is no instrument; write it as VENUE:SYMBOL"),
    (2, "data import bars.csv -i US:X -f cvs", "error: there is no format 'cvs'; there are csv, yahoo"),
    (2, "data import bars.csv -i US:X -f yahoo", "error: bars.csv has no column 'Date'; it has when, open, high"),
    (
        2,
        "data import bars.csv -i US:X -f csv --columns when",
        "error: 'when' is no NAME=VALUE; write it like --columns",
    ),
    (2, "data import bars.csv -i US:X -f csv --columns ts=when", "error: say how long a bar is: --timeframe 1m"),
    (
        2,
        "data import bars.csv -i US:X -f csv --kind trades",
        "error: --kind is for journals and DBN files; what other files hold their columns say",
    ),
    (2, "data import bars.csv -i US:X -f journal -t 1m --stamp open", "error: a journal says all by itself"),
    (3, "data import bars.csv -i US:X -f journal -t 1m", "error: bars.csv is not a journal"),
    (
        1,
        "data import head.csv -i US:X -f csv -t 1m --stamp open --columns ts=when",
        "error: nothing to import from head",
    ),
]


@pytest.mark.parametrize(("code", "words", "said"), WRONG, ids=[words for _, words, _ in WRONG])
def test_what_is_wrong_is_one_line(place: Path, run: Run, code: int, words: str, said: str) -> None:
    (place / "empty.csv").touch()
    (place / "head.csv").write_text("when,open,high,low,close\n")
    ran = run("trade", *words.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert ran.err.startswith(said)


def test_a_misspelt_instrument_and_a_name_that_is_not_there(place: Path, run: Run) -> None:
    run(*IMPORT)
    ran = run("trade", "data", "check", "US:SYP")
    assert (ran.code, ran.err) == (2, "error: data has nothing of US:SYP; did you mean US:SPY?\n")
    ran = run("trade", "data", "clean", "US:SPY", "--name", "1h", "--sort")
    assert (ran.code, ran.err) == (2, "error: data has no bars-1h of US:SPY; it has bars-30m\n")
    ran = run("trade", "data", "check", "--name", "1h")
    assert (ran.code, ran.err.startswith("error: there is nothing to check in data")) == (2, True)


def test_a_catalogue_that_can_not_be_written_is_3(place: Path, run: Run) -> None:
    """A file stands where the folder would be: what a missing permission is to a user who is not root."""
    ran = run(*IMPORT, "-C", "bars.csv")
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    assert "bars.csv" in ran.err


def test_a_damaged_file_is_3(place: Path, run: Run) -> None:
    run(*IMPORT)
    (place / "data" / "US+SPY" / "bars-30m.parquet").write_bytes(b"PAR1")
    ran = run("trade", "data", "check")
    assert (ran.code, ran.err.count("\n"), "is not what its record describes" in ran.err) == (3, 1, True)
    assert run(*IMPORT).code == 2
    assert run(*IMPORT, "--replace").code == 0
    assert run("trade", "data", "check").code == 0
