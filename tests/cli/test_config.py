"""trade config check, show, init, schema."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "configs" / "demo.toml"


def test_a_good_config_is_good(run: Callable[..., Any]) -> None:
    ran = run("trade", "config", "check", DEMO)
    assert (ran.code, ran.out) == (0, f"{DEMO}: good\n")
    found = json.loads(run("trade", "config", "check", DEMO, "--json").out)
    assert (found["ok"], found["problems"], len(found["digest"])) == (True, [], 32)


def test_a_bad_config_is_2_with_all_that_is_wrong(run: Callable[..., Any]) -> None:
    overrides = ("--set", "risk.max_notionl=1", "--set", "strategies.cross.params.fast=-1.5")
    ran = run("trade", "config", "check", DEMO, *overrides)
    assert ran.code == 2
    assert ran.out.splitlines() == [f'{DEMO}: risk.max_notionl: unknown key, did you mean "max_notional"?']
    found = json.loads(run("trade", "config", "check", DEMO, *overrides[2:], "--json").out)
    assert [problem["path"] for problem in found["problems"]] == ["strategies[0].params"]
    assert (found["ok"], found["digest"]) == (False, None)


def test_a_file_that_only_fails_when_opened_is_said(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "ticks.csv").write_text("when,what\n1,2\n")
    feed = (
        '{ kind = "file", name = "t", files = [{ path = "'
        + str(tmp_path / "ticks.csv")
        + '", instrument = "SIM:ALFA", '
        'ts_unit = "ms", columns = { ts_event = "ts", price = "what" } }] }'
    )
    found = json.loads(run("trade", "config", "check", DEMO, "--set", f"feeds=[{feed}]", "--json").out)
    assert [problem["path"] for problem in found["problems"]] == ["feeds[0]"]


def test_what_is_shown_can_be_set(run: Callable[..., Any]) -> None:
    lines = run("trade", "config", "show", DEMO).out.splitlines()
    assert "strategies.cross.params.fast = 10" in lines
    settable = [line.replace(" = ", "=", 1) for line in lines if ".regimes." not in line]  # a default, not in the file
    again = run("trade", "config", "show", DEMO, *(word for line in settable for word in ("--set", line)))
    assert again.out.splitlines() == lines


def test_an_override_is_shown(run: Callable[..., Any]) -> None:
    ran = run("trade", "config", "show", DEMO, "--set", "strategies.cross.params.fast=20", "--json")
    assert json.loads(ran.out)["strategies"][0]["params"]["fast"] == 20


def test_a_new_config_is_good_and_keeps_its_journal_beside_it(
    tmp_path: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("trade", "config", "init", "mine.toml").code == 0
    assert run("trade", "config", "check", "mine.toml").code == 0
    shown = json.loads(run("trade", "config", "show", "mine.toml", "--json").out)
    assert (shown["name"], shown["journal"]["folder"]) == ("mine", str(tmp_path / "journal" / "mine"))


def test_a_config_is_never_written_over(tmp_path: Path, run: Callable[..., Any]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("precious")
    ran = run("trade", "config", "init", file)
    assert (ran.code, file.read_text()) == (2, "precious")
    assert "is there already" in ran.err


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, run: Callable[..., Any]) -> None:
    ran = run("trade", "config", "init", tmp_path / "nowhere" / "mine.toml")
    assert (ran.code, ran.err) == (2, f"error: there is no folder {tmp_path / 'nowhere'}; make it first\n")


@pytest.mark.parametrize("name", ["my day.toml", "-x.toml", "über.toml", '".toml', f"{'x' * 65}.toml"])
def test_a_config_that_would_not_be_good_is_not_written(name: str, tmp_path: Path, run: Callable[..., Any]) -> None:
    ran = run("trade", "config", "init", tmp_path / name)
    assert (ran.code, len(ran.err.splitlines()), list(tmp_path.iterdir())) == (2, 1, [])
    assert "choose a name of letters, digits, - and _" in ran.err


def test_what_is_said_of_a_new_config_can_be_typed(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "my day").mkdir()
    ran = run("trade", "config", "init", tmp_path / "my day" / "mine.toml")
    assert ran.out.rstrip().endswith(f"tradingd start -c '{tmp_path}/my day/mine.toml'")


def test_a_config_that_is_not_there_is_named_once(tmp_path: Path, run: Callable[..., Any]) -> None:
    file = tmp_path / "none.toml"
    said = f"{file}: no such file; trade config init makes one\n"
    assert run("trade", "config", "check", file).out == said
    assert run("trade", "config", "show", file).err == f"error: {said}"


def test_the_reference_page_is_the_one_in_docs(run: Callable[..., Any]) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert run("trade", "config", "schema").out == page, "trade config schema > docs/configuration.md"


def test_the_schema_is_one_for_editors(run: Callable[..., Any]) -> None:
    assert "Instrument" in json.loads(run("trade", "config", "schema", "--json").out)["$defs"]


@pytest.mark.parametrize("file", sorted((ROOT / "configs").glob("*.toml")), ids=lambda file: file.name)
def test_every_config_in_the_repository_is_good(
    file: Path, run: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    if "${TRADINGD_REALDATA}" in file.read_text() and "TRADINGD_REALDATA" not in os.environ:
        request.getfixturevalue("monkeypatch").setenv("TRADINGD_REALDATA", str(request.getfixturevalue("realdata")))
    ran = run("trade", "config", "check", file)
    assert ran.code == 0, ran.out
