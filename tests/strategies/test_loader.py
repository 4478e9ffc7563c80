"""A kind becomes a strategy, or one clear line."""

import subprocess
import sys
from pathlib import Path

import pytest

from tradingd.strategies.contract import CompiledStrategy, PythonStrategy, StrategyError
from tradingd.strategies.loader import BUILT_IN, load_strategy
from tradingd.strategies.scaffold import new_strategy

HERE = Path(__file__).parent
GOOD = """
from typing import Any

import numpy as np
from tradingd.strategies.contract import PythonStrategy, Target, compiled

@compiled(params={"level": 1.0})
def step(state: Any, bar: Any, params: Any, out: Any) -> None:
    out.target = np.sqrt(params.level) ** 2

class Slow(PythonStrategy):
    def on_bar(self, state, bar, params):
        return Target(0.5)

OTHER = 3
"""


def write(folder, text, name="mine.py"):
    (folder / name).write_text(text)


def refusal(folder, kind):
    with pytest.raises(StrategyError) as error:
        load_strategy(kind, folder)
    assert "\n" not in str(error.value)
    return str(error.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("kind", BUILT_IN)
def test_built_ins_are_found_by_name(kind):
    assert load_strategy(kind, HERE).name == kind


def test_both_kinds_are_found_in_a_file(tmp_path):
    write(tmp_path, GOOD)
    assert isinstance(load_strategy("mine.py:step", tmp_path), CompiledStrategy)
    slow = load_strategy("mine.py:Slow", tmp_path)
    assert isinstance(slow, type) and issubclass(slow, PythonStrategy)
    assert slow.text == GOOD


def test_an_edited_file_is_new_code_and_a_moved_one_is_not(tmp_path):
    write(tmp_path, GOOD)
    first = load_strategy("mine.py:step", tmp_path)
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", GOOD)
    assert load_strategy(f"{tmp_path}/sub/mine.py:step", HERE) is first
    write(tmp_path, GOOD.replace("** 2", "** 3"))
    edited = load_strategy("mine.py:step", tmp_path)
    assert edited is not first and edited.digest != first.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import os\n", "mine.py:1: import of os is not allowed; allowed: __future__, collections.abc,"),
        ("import numpy\nfrom math import exp\n", "mine.py:2: import of math is not allowed"),
        ("from . import x\n", "mine.py:1: import of . is not allowed"),
        ("import tradingd.journal\n", "mine.py:1: import of tradingd.journal is not allowed"),
        ("import numpyx\n", "mine.py:1: import of numpyx is not allowed"),
        ("x = (\n", "mine.py:1: '(' was never closed"),
        (
            "import numpy as np\ny = np.exp(1.0)\n",
            "mine.py:2: np.exp differs between machines; use + - * /",
        ),
        ("from numpy import log\n", "mine.py:1: numpy.log differs between machines"),
        ("from numpy.random import rand\n", "mine.py:1: numpy.random keeps its state outside"),
        ("y = 2.0 ** 0.5\n", "mine.py:1: a power that is no whole number differs between machines"),
        ("y = eval('1')\n", "mine.py:1: eval is not allowed in a strategy"),
        ("x = 1 / 0\n", "strategy file mine.py fails when it is loaded: division by zero"),
        ("x = 1\n", "mine.py has no strategy 'step'; it has: none"),
        (GOOD.replace("def step", "def steps"), "mine.py has no strategy 'step'; it has: steps, Slow"),
        (
            GOOD.replace("    out.target", "    assert bar.close\n    out.target"),
            "mine.py:9: a compiled step can not raise",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_that_says_where(tmp_path, text, message):
    write(tmp_path, text)
    assert refusal(tmp_path, "mine.py:step").startswith(message)


def test_a_missing_file_and_an_unknown_name_are_named(tmp_path):
    assert refusal(tmp_path, "none.py:x") == "can not read strategy file none.py: No such file or directory"
    assert refusal(tmp_path, "sma_crss").startswith("no strategy 'sma_crss'; there are coin_flip, donchian,")
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9\n")
    assert "is not UTF-8 text" in refusal(tmp_path, "latin.py:x")


def test_a_new_strategy_passes_its_own_test_as_it_is(tmp_path):
    assert [path.name for path in new_strategy("my_idea", tmp_path)] == ["my_idea.py", "test_my_idea.py"]
    command = [sys.executable, "-m", "pytest", "-q", "test_my_idea.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("My-Idea", "no name for a strategy"),
        ("class", "no name for a strategy"),
        ("sma_cross", "sma_cross is a built-in strategy"),
        ("there", "there.py exists already"),
    ],
)
def test_a_name_that_will_not_do_is_refused_and_nothing_is_written(tmp_path, name, message):
    write(tmp_path, "# mine", "there.py")
    with pytest.raises(StrategyError, match=message):
        new_strategy(name, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["there.py"]
