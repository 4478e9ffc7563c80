"""A few seeds of every campaign; `make faults` runs them in full."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import campaign
import campaign_kill
import pytest
from disk.build import COMPILER

HERE = Path(__file__).parent
# Each kind of damage and each named point at least once, all within a minute.
SEEDS = {"disk": 10, "edits": 12, "flips": 20, "kill": 21, "outage": 2, "power": 1, "simulation": 60, "truncations": 8}
# What is simulated loses what it has to wherever it is; syncs of a real disk would only take the minute.
IN_MEMORY = {"TMPDIR": "/dev/shm"} if os.access("/dev/shm", os.W_OK) else {}
ELSEWHERE = ("backup.", "archive.", "compact.", "recover.")  # passed by commands of their own, which have tests
NEED_THE_SHIM = ("disk", "kill", "outage", "power")


@pytest.mark.parametrize("name", campaign.names())
def test_a_few_seeds(name: str) -> None:
    if name in NEED_THE_SHIM and COMPILER is None:
        pytest.skip("the campaigns of disks and kills need a C compiler (cc), and there is none")
    seeds = SEEDS.get(name, 2)
    command = [sys.executable, HERE / "campaign.py", name, "0", str(seeds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | IN_MEMORY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"{name}: seeds 0 to {seeds - 1}: ")


def test_the_runner_names_the_seed_that_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing:
        SEEDS = 3

        class Campaign:
            def __init__(self, folder: Path) -> None:
                pass

            def run(self, seed: int, folder: Path) -> str:
                assert seed < 2, "on purpose"
                return "fine"

            def close(self) -> None:
                pass

    monkeypatch.setattr(importlib, "import_module", lambda name: Failing)
    assert campaign.run("flips", 0, 2)
    assert capsys.readouterr().out.startswith("flips: seeds 0 to 1: 2 fine; ")
    assert not campaign.run("flips", 0, 0)
    said = capsys.readouterr().out
    assert "flips: FAILED at seed 2; again: python tests/faults/campaign.py flips 2 3" in said


def test_every_named_point_is_one_at_which_the_campaign_kills() -> None:
    sources = (HERE.parent.parent / "tradingd").rglob("*.py")
    named = {name for path in sources for name in re.findall(r"\bpoint\(\"([^\"]+)\"\)", path.read_text())}
    assert {name for name in named if not name.startswith(ELSEWHERE)} == set(campaign_kill.DAEMON_POINTS)
