"""trade strategy ls and new."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_what_there_is_is_listed_with_its_parameters(run: Callable[..., Any]) -> None:
    found = json.loads(run("trade", "strategy", "ls", "--json").out)["strategies"]
    by_kind = {item["kind"]: item for item in found}
    assert by_kind["sma_cross"]["params"]["slow"] == 50
    assert by_kind["trailing_atr"]["role"] == "exit"
    lines = run("trade", "strategy", "ls").out.splitlines()
    assert len(lines) == len(found)
    assert all(item["summary"] in line for item, line in zip(found, lines, strict=True))


def test_a_new_strategy_passes_its_own_test(tmp_path: Path, run: Callable[..., Any]) -> None:
    ran = run("trade", "strategy", "new", "my_idea", "--folder", tmp_path / "ideas", "--json")
    made = json.loads(ran.out)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", made["test"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_strategy_is_what_a_config_can_name(tmp_path: Path, run: Callable[..., Any]) -> None:
    kind = json.loads(run("trade", "strategy", "new", "my_idea", "--folder", tmp_path, "--json").out)["kind"]
    run("trade", "config", "init", tmp_path / "mine.toml")
    changed = ("--set", f'strategies.cross.kind="{kind}"', "--set", "strategies.cross.params={ period = 5 }")
    assert run("trade", "config", "check", tmp_path / "mine.toml", *changed).code == 0


def test_a_strategy_is_never_written_over(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "mine.py").write_text("precious")
    ran = run("trade", "strategy", "new", "mine", "--folder", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    assert (tmp_path / "mine.py").read_text() == "precious"


def test_a_name_that_is_none_is_2(run: Callable[..., Any]) -> None:
    assert run("trade", "strategy", "new", "My Idea").code == 2
