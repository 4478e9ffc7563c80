"""Several signals become one decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.events import Signal, TimeInForce
from tradingd.strategies.combine import Vote, combine
from tradingd.strategies.settings import CombineSettings


def vote(name, target, confidence=1.0, weight=1.0, stop=None, take_profit=None, price=100.0, ts=1, **entry):
    return Vote(Signal(name, 0, ts, target, confidence, price, stop, take_profit, **entry), weight)


def decide(*votes, **settings):
    return combine(0, votes, CombineSettings(**settings))


def test_one_signal_decides_alone():
    decision = decide(vote("a", 0.5, stop=95.0, take_profit=110.0))
    assert (decision.target, decision.stop, decision.take_profit, decision.price) == (0.5, 95.0, 110.0, 100.0)
    assert decision.voters == ("a",)
    assert decision.rule == "weighted: 1 of 1 votes agree, quorum 1"


def test_targets_are_weighted_by_weight_and_confidence():
    assert decide(vote("a", 1.0, confidence=0.5, weight=2.0), vote("b", -1.0, weight=0.5)).target == pytest.approx(
        1 / 3
    )


def test_a_flat_signal_votes_for_no_exposure():
    assert decide(vote("a", 1.0), vote("b", 0.0)).target == 0.5


def test_a_tie_is_no_exposure():
    decision = decide(vote("a", 1.0, stop=90.0), vote("b", -1.0, stop=110.0))
    assert (decision.target, decision.stop) == (0.0, None)


@pytest.mark.parametrize(("quorum", "target"), [(1, 1 / 3), (2, 1 / 3), (3, 0.0)])
def test_a_side_needs_its_quorum(quorum, target):
    assert decide(vote("a", 1.0), vote("b", 1.0), vote("c", -1.0), quorum=quorum).target == pytest.approx(target)


def test_a_signal_without_confidence_does_not_vote():
    decision = decide(vote("a", 1.0, confidence=0.4), vote("b", -1.0, confidence=0.6), min_confidence=0.5)
    assert (decision.target, decision.voters) == (-1.0, ("b",))
    assert decide(vote("a", 1.0, confidence=0.0)).target == 0.0


def test_the_tightest_stop_and_the_nearest_take_profit_of_those_that_agree():
    long = decide(
        vote("a", 1.0, stop=95.0, take_profit=120.0), vote("b", 1.0, stop=97.0, take_profit=130.0),
        vote("c", 1.0), vote("d", -0.5, stop=99.0, take_profit=101.0),
    )  # fmt: skip
    assert (long.stop, long.take_profit) == (97.0, 120.0)
    short = decide(vote("a", -1.0, stop=105.0, take_profit=80.0), vote("b", -1.0, stop=103.0, take_profit=90.0))
    assert (short.stop, short.take_profit) == (103.0, 90.0)


def test_the_price_is_of_the_newest_bar():
    assert decide(vote("a", 1.0, price=101.0, ts=5), vote("b", 1.0, price=99.0, ts=3)).price == 101.0
    assert decide(vote("a", 1.0, price=101.0, ts=5), vote("b", 1.0, price=99.0, ts=5)).price == 99.0


UNIT = st.floats(0.0, 1.0)
VOTES = st.lists(st.builds(vote, st.sampled_from("abc"), st.floats(-1.0, 1.0), UNIT, st.floats(0.01, 10.0)), min_size=1)


@given(VOTES, UNIT, st.integers(1, 4))
def test_a_decision_is_never_more_than_the_boldest_vote(votes, min_confidence, quorum):
    target = decide(*votes, min_confidence=min_confidence, quorum=quorum).target
    assert abs(target) <= max(abs(v.signal.target) for v in votes) * (1.0 + 1e-12)
    assert str(target) != "-0.0"


def test_an_entry_waits_only_where_all_that_agree_name_a_price():
    both = vote("a", 1.0, limit=99.0, trigger=102.0), vote("b", 1.0, limit=98.0, trigger=103.0)
    decision = decide(*both, vote("c", -0.5, limit=110.0, trigger=90.0), vote("d", 0.0))
    assert (decision.limit, decision.trigger) == (98.0, 103.0)
    assert (decide(*both, vote("c", 0.5, limit=97.0)).limit, decide(*both, vote("c", 0.5)).trigger) == (97.0, None)
    short = decide(vote("a", -1.0, limit=101.0, trigger=98.0), vote("b", -1.0, limit=103.0, trigger=99.0))
    assert (short.limit, short.trigger) == (103.0, 98.0)
    assert decide(vote("a", 1.0, limit=99.0), vote("b", -1.0, limit=101.0)).limit is None


def test_an_entry_works_for_the_shortest_time_of_those_that_agree():
    votes = [vote("a", 1.0), vote("b", 1.0), vote("c", -1.0)]
    timed = [
        Vote(v.signal, 1.0, force)
        for v, force in zip(votes, (TimeInForce.GTC, TimeInForce.DAY, TimeInForce.IOC), strict=True)
    ]
    assert decide(*timed).time_in_force is TimeInForce.DAY
    assert decide(votes[0]).time_in_force is TimeInForce.GTC


def test_the_shortest_trail_of_those_that_agree():
    votes = vote("a", 1.0, trail=3.0), vote("b", 1.0, trail=2.0), vote("c", 1.0), vote("d", -1.0, trail=1.0)
    assert decide(*votes).trail == 2.0
    assert decide(vote("a", 1.0, trail=3.0), vote("b", -1.0, trail=3.0)).trail is None
