"""trade doctor: a line per finding, and what to do where one is not well."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def findings(ran: Any) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in json.loads(ran.out)["findings"]}


def test_a_host_that_runs_the_tests_is_fit(run: Callable[..., Any], tmp_path: Path) -> None:
    ran = run("trade", "doctor", "--json", "-j", tmp_path)
    found = findings(ran)
    assert {"python", "libraries", "cache", "time zones", "clock", "open files", "disk", "fsync", "journal"} <= set(
        found
    )
    assert "numba" in found["libraries"]["text"]
    assert (ran.code, json.loads(ran.out)["ok"]) == (0, True)


def test_people_get_a_line_each(run: Callable[..., Any]) -> None:
    lines = run("trade", "doctor").out.splitlines()
    assert all(line[:4].strip() in ("ok", "warn", "fail") for line in lines)


def test_what_fails_is_a_no_with_what_to_do(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADINGD_REALDATA", str(tmp_path / "nowhere"))
    ran = run("trade", "doctor", "--json")
    assert ran.code == 1
    assert findings(ran)["recordings"]["verdict"] == "fail"


def test_a_journal_that_is_a_file_is_said(run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "journal"
    file.write_text("x")
    ran = run("trade", "doctor", "--json", "-j", file)
    assert (ran.code, findings(ran)["journal"]["verdict"]) == (1, "fail")


def test_a_journal_that_is_not_there_yet_is_fine(run: Callable[..., Any], tmp_path: Path) -> None:
    ran = run("trade", "doctor", "--json", "-j", tmp_path / "a" / "b")
    assert (ran.code, findings(ran)["journal"]["verdict"]) == (0, "ok")
