"""Every strategy and every exit under the same contract: built-in, from a template, compiled and plain Python."""

from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from tradingd.strategies import loader
from tradingd.strategies.checks import check_contract
from tradingd.strategies.contract import Bar, PythonStrategy, Target
from tradingd.strategies.loader import load_strategy
from tradingd.strategies.scaffold import new_strategy


class Momentum(PythonStrategy):
    """The plain Python kind: follows the last `period` closes."""

    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        period: Annotated[int, Meta(ge=1, le=1000)] = 5

    class State(Struct):
        closes: list[float] = []

    def warmup_bars(self, params: Params) -> int:
        return params.period

    def on_bar(self, state: State, bar: Bar, params: Params) -> Target | None:
        state.closes = [*state.closes, bar.close][-params.period :]
        if len(state.closes) < params.period or state.closes[0] == bar.close:
            return None
        return Target(1.0 if bar.close > state.closes[0] else -1.0, confidence=0.5)


class Forgetful(Momentum):
    """Keeps something outside of its state."""

    seen = 0

    def on_bar(self, state: Momentum.State, bar: Bar, params: Momentum.Params) -> Target | None:
        self.seen += 1
        return Target(1.0 if self.seen % 3 else 0.0)


class Hasty(Momentum):
    """Wants something before it is warm."""

    def on_bar(self, state: Momentum.State, bar: Bar, params: Momentum.Params) -> Target | None:
        return Target(1.0)


PARAMS = [
    ("sma_cross", {}),
    ("sma_cross", {"fast": 1, "slow": 2}),
    ("sma_cross", {"fast": 7, "slow": 33, "long_only": True}),
    ("mean_reversion", {}),
    ("mean_reversion", {"period": 2, "entry": 0.5, "leave": 0.1, "long_only": True}),
    ("pair_reversion", {}),
    ("pair_reversion", {"period": 2, "entry": 0.5, "leave": 0.1}),
    ("donchian", {}),
    ("donchian", {"length": 2, "period": 1, "multiple": 0.5, "long_only": True}),
    ("coin_flip", {}),
    ("coin_flip", {"seed": -7, "hold_bars": 1, "long_only": True}),
]
EXIT_PARAMS = [
    ("trailing_atr", {"multiple": 1.0}),
    ("fixed_ratio", {"multiple": 1.0, "ratio": 1.5}),
    ("fixed_ratio", {"fraction": 0.01}),
]
HERE = Path(__file__).parent


@pytest.mark.parametrize(("kind", "params"), PARAMS, ids=str)
def test_built_in_strategies(kind, params):
    check_contract(load_strategy(kind, HERE), params)


@pytest.mark.parametrize(("kind", "params"), EXIT_PARAMS, ids=str)
@pytest.mark.parametrize("strategy", ["coin_flip", "pair_reversion", "python"])
def test_exits_beside_a_strategy(strategy, kind, params):
    partner = Momentum if strategy == "python" else load_strategy(strategy, HERE)
    check_contract(partner, {}, [(load_strategy(kind, HERE), params)])


def test_both_exits_at_once():
    exits = [(load_strategy(kind, HERE), params) for kind, params in EXIT_PARAMS]
    check_contract(load_strategy("sma_cross", HERE), {"fast": 2, "slow": 5}, exits)


@pytest.mark.parametrize("period", [1, 5])
def test_plain_python_strategies(period):
    check_contract(Momentum, {"period": period})


def test_strategies_made_from_the_template(tmp_path):
    new_strategy("made_here", tmp_path)
    check_contract(load_strategy("made_here.py:made_here", tmp_path))


def test_every_built_in_is_under_test():
    assert {kind for kind, _ in PARAMS} == set(loader.STRATEGIES)
    assert {kind for kind, _ in EXIT_PARAMS} == set(loader.EXITS)


def test_the_contract_finds_hidden_state():
    with pytest.raises(AssertionError, match="goes on differently"):
        check_contract(Forgetful, {"period": 1})


def test_the_contract_finds_a_decision_before_the_warm_up_is_over():
    with pytest.raises(AssertionError, match="declared as warm-up"):
        check_contract(Hasty)
