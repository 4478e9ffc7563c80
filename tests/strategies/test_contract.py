"""Compiled strategies: parameters, state, exits, and machine code that the next process finds again."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from msgspec import Meta, Struct

from tradingd.kernels.calls import WISH, new_wishes
from tradingd.strategies.checks import bars_of_closes
from tradingd.strategies.coin_flip import coin_flip
from tradingd.strategies.contract import PythonStrategy, StrategyError, Target, compiled
from tradingd.strategies.run import StrategyRun
from tradingd.strategies.sma_cross import sma_cross


@compiled(params={"level": 100.0, "share": 1.0})
def above(state, bar, params, out):
    """Long above a level, short below it, nothing on it."""
    out.target = params.share * np.sign(bar.close - params.level)


@compiled(params={"at": 0})
def leave_at(state, bar, params, out):
    """An exit that fires on one bar alone."""
    if bar.ts_close == params.at:
        out.target = 0.0


@compiled()
def reveal(state, bar, params, out):
    """An exit that shows what exits are given."""
    out.confidence = 0.25 if out.target == 0.0 else 0.75


def targets(strategy, closes, params=None, exits=()):
    return StrategyRun(strategy, params, exits).feed(bars_of_closes(np.array(closes)))["target"].tolist()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"fsat": 3}, "strategy sma_cross has no parameter 'fsat'; allowed: fast=10, slow=50, long_only=False"),
        ({"fast": 0}, "strategy sma_cross: fast=0 is outside of 1 to 65536"),
        ({"fast": 2.5}, "strategy sma_cross: fast=2.5 has to be of type int, as 10"),
        ({"long_only": 1}, "strategy sma_cross: long_only=1 has to be of type bool, as False"),
        ({"fast": 60}, "strategy sma_cross: fast=60 has to be below slow=50"),
    ],
)
def test_wrong_parameters_are_named(params, message):
    with pytest.raises(StrategyError) as error:
        sma_cross.instantiate(params)
    assert str(error.value) == message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_parameter_is_a_finite_number(value):
    with pytest.raises(StrategyError, match="not a finite number"):
        above.instantiate({"level": value})


def test_an_int_has_64_bits():
    with pytest.raises(StrategyError, match="64 bits"):
        coin_flip.instantiate({"seed": 2**63})


def test_a_whole_number_may_stand_for_a_float():
    assert above.instantiate({"level": 7}).params["level"] == 7.0


def test_a_field_that_does_not_exist_is_named():
    @compiled()
    def misspelt(state, bar, params, out):
        out.target = bar.cloze

    with pytest.raises(StrategyError, match="no field 'cloze'"):
        misspelt.instantiate()


def test_code_that_numba_can_not_compile_is_named():
    @compiled()
    def wild(state, bar, params, out):
        out.target = undefined_name  # noqa: F821

    for made in (wild.instantiate, wild.walking):
        with pytest.raises(StrategyError, match="strategy wild does not compile: NameError: name 'undefined_name'"):
            made()


def test_bounds_of_what_is_no_parameter_are_refused():
    with pytest.raises(StrategyError, match="no parameters"):
        compiled(params={"a": 1}, bounds={"b": (0, 1)})(lambda state, bar, params, out: None)


def test_a_tie_of_averages_changes_nothing():
    assert targets(sma_cross, [1.0, 1.0, 2.0, 2.0, 2.0, 2.0], {"fast": 1, "slow": 2}) == [0, 0, 1, 1, 1, 1]


def test_an_exit_wins_within_its_bar_and_holds_until_the_strategy_changes_its_side():
    exits = [(leave_at, {"at": 2 * 60_000_000_000})]
    closes = [101.0, 101.0, 105.0, 105.0, 99.0, 101.0]
    assert targets(above, closes, exits=exits) == [1.0, 0.0, 0.0, 0.0, -1.0, 1.0]


def test_a_strategy_that_goes_flat_re_arms_its_exit():
    exits = [(leave_at, {"at": 60_000_000_000})]
    assert targets(above, [101.0, 101.0, 100.0, 101.0], exits=exits) == [0.0, 0.0, 0.0, 1.0]


def test_exits_see_no_exposure_while_one_of_them_holds():
    exits = [(leave_at, {"at": 2 * 60_000_000_000}), (reveal, {})]
    outs = StrategyRun(above, {}, exits).feed(bars_of_closes(np.full(3, 101.0)))
    assert outs["confidence"].tolist() == [0.75, 0.25, 0.25]


def test_what_is_not_allowed_is_refused():
    for share in (1.5, -1.5):
        with pytest.raises(StrategyError, match=r"bar 1: a step that failed, a target outside of \[-1, 1\]"):
            targets(above, [100.0, 101.0], {"share": share})


def test_no_exposure_has_no_stop_and_is_never_minus_zero():
    outs = StrategyRun(above, {"share": -0.0}).feed(bars_of_closes(np.full(2, 101.0)))
    assert str(outs["target"][0]) == "0.0"
    assert np.isnan(outs["stop"]).all()


def test_a_snapshot_of_other_parameters_does_not_fit():
    small, large = sma_cross.instantiate({"slow": 50}), sma_cross.instantiate({"slow": 500})
    with pytest.raises(StrategyError, match="does not fit"):
        large.restore(small.snapshot())


def test_a_wish_starts_flat_and_certain():
    wish = new_wishes(1)[0]
    assert wish.dtype == WISH
    assert (wish["own"]["target"], wish["final"]["confidence"], wish["exited_side"]) == (0.0, 1.0, 0.0)
    assert np.isnan(wish["own"]["stop"])


def test_parameters_of_a_python_strategy_are_checked():
    class Checked(PythonStrategy):
        class Params(Struct, frozen=True, forbid_unknown_fields=True):
            period: Annotated[int, Meta(ge=1)] = 5

        def on_bar(self, state, bar, params):
            return Target(0.0)

    with pytest.raises(StrategyError, match=r"strategy Checked: .*perod.*; allowed: period"):
        Checked.instantiate({"perod": 5})
    with pytest.raises(StrategyError, match=">= 1"):
        Checked.instantiate({"period": 0})


def test_text_and_digest_are_those_of_the_file():
    assert "def sma_cross(" in sma_cross.text
    assert len(sma_cross.digest) == 32


IN_A_PROCESS = """
from pathlib import Path
from tradingd.strategies.loader import BUILT_IN, load_strategy
for kind in (*BUILT_IN, "mine.py:mine"):
    strategy = load_strategy(kind, Path.cwd())
    strategy.instantiate()
    kernels = [strategy.guard]
    if strategy.legs == 1:
        strategy.walking()
        kernels.append(strategy.walk)
    for kernel in kernels:
        print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""
MINE = """
from tradingd.kernels.indicators import atr_state, atr_step
from tradingd.strategies.contract import compiled
@compiled(state=lambda p: {"atr": atr_state(14)})
def mine(state, bar, params, out):
    out.target = 0.0 * atr_step(state.atr, bar.high, bar.low, bar.close)
"""


def test_the_next_process_compiles_nothing(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)

    def run() -> set[str]:
        environment = os.environ | {"TRADINGD_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-c", IN_A_PROCESS]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        return set(done.stdout.splitlines())

    assert run() == {"0 1"}
    assert run() == {"1 0"}
