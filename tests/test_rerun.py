"""Re-execution: recorded inputs give the recorded facts again, and anything else is noticed."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from recorder import BUILT_IN, CHANGED, Recorder
from world import T0, market

from tradingd.commit import Commit
from tradingd.compare import first_difference
from tradingd.core.settings import encode_settings
from tradingd.core.snapshot import state_digest
from tradingd.core.state import State
from tradingd.daemon.failure import failed_commit
from tradingd.events import (
    AccountChanged,
    AnyBody,
    ClockAdvanced,
    CoreFailed,
    Event,
    Input,
    OrderFilled,
    Resumption,
    RunStarted,
)
from tradingd.rerun import (
    Rerun,
    code_digest,
    fold,
    has_failed,
    inputs_of,
    load_library,
    past,
    started,
    user_texts,
)


@pytest.fixture(scope="module")
def whole() -> Recorder:
    recorder = Recorder()
    recorder.play(0, 4000)
    return recorder


def re_execute(recorder: Recorder) -> State:
    rerun = Rerun(recorder.history)
    for recorded in recorder.commits:
        difference = first_difference(recorded, rerun.take(recorded))
        assert difference is None, difference
    assert rerun.state is not None
    return rerun.state


def test_recorded_inputs_give_the_recorded_facts(whole: Recorder) -> None:
    assert sum(len(commit.events) for commit in whole.commits) > 1000
    assert state_digest(re_execute(whole)) == state_digest(whole.state)


def test_a_rebuilt_run_goes_on(whole: Recorder) -> None:
    recorder = Recorder()
    recorder.play(0, 2000)
    recorder.start(BUILT_IN, Resumption.REBUILT, epoch=2)
    recorder.play(2000, 4000)
    assert state_digest(re_execute(recorder)) == state_digest(recorder.state) == state_digest(whole.state)


def test_a_warmed_run_re_executes_with_its_own_settings() -> None:
    recorder = Recorder()
    recorder.play(0, 2000)
    recorder.warm(CHANGED, epoch=2)
    recorder.play(2000, 3000)
    recorder.warm(BUILT_IN, epoch=3)
    recorder.play(3000, 4000)
    state = re_execute(recorder)
    assert state_digest(state) == state_digest(recorder.state)
    assert state.settings == BUILT_IN


def test_inputs_at_which_the_core_failed_are_left_out_everywhere() -> None:
    recorder = Recorder()
    recorder.play(0, 1000)
    ticks = market(4000, seed=3)
    clock = Input(T0, int(ticks.ts_received_ns[1499]), "market", ClockAdvanced())
    failed = failed_commit(recorder.state.seq + 1, [ticks.slice(1000, 1500), clock], ZeroDivisionError("a bug"))
    assert (failed.first_seq, failed.last_seq) == (recorder.state.seq + 1, recorder.state.seq + 501)
    assert has_failed(failed)
    body = failed.events[-1].body
    assert isinstance(body, CoreFailed)
    assert body.error == "ZeroDivisionError('a bug')"
    assert (failed.events[-1].seq, failed.events[-1].n) == (failed.last_seq, 1)
    # given the failure in the journal, and starts of the same and of other code
    recorder.commits.append(failed)
    fold(recorder.state.ledger, BUILT_IN, failed)
    recorder.state.seq = failed.last_seq
    recorder.start(BUILT_IN, Resumption.REBUILT, epoch=2)
    recorder.play(1500, 2000)
    recorder.warm(CHANGED, epoch=3)
    recorder.play(2000, 2500)
    # then the rows count as taken, nothing is made of them, and new exposure is stopped
    state = re_execute(recorder)
    assert state_digest(state) == state_digest(recorder.state)
    assert state.ledger.cursors == {"market": 2500}
    assert state.ledger.halts["core_failed"].text == "ZeroDivisionError('a bug')"
    assert all(inputs_of(failed)[0] is not item for items in past(recorder.history, 1, state.seq) for item in items)


def with_body(commit: Commit, at: int, body: AnyBody) -> Commit:
    events = list(commit.events)
    events[at] = msgspec.structs.replace(events[at], body=body)
    return replace(commit, events=tuple(events))


def test_a_mutated_fill_is_noticed(whole: Recorder) -> None:
    number, at, fill = next(
        (number, at, event.body)
        for number, commit in enumerate(whole.commits)
        for at, event in enumerate(commit.events)
        if isinstance(event.body, OrderFilled)
    )
    mutated = with_body(whole.commits[number], at, msgspec.structs.replace(fill, last_px=fill.last_px + 0.01))
    rerun = Rerun(whole.history)
    found = [first_difference(commit, rerun.take(commit)) for commit in [*whole.commits[:number], mutated]]
    assert found[:-1] == [None] * number
    assert found[-1] is not None
    event = mutated.events[at]
    assert (found[-1].seq, found[-1].n) == (event.seq, event.n)


def test_a_fact_that_stands_as_an_input_is_noticed() -> None:
    """Money out of nowhere: the ledger would take it, live and in replay alike."""
    # given a journal in which someone put a posting where inputs stand
    recorder = Recorder()
    recorder.play(0, 500)
    balance = recorder.state.ledger.accounts["USD"].balance
    posted = AccountChanged(currency="USD", balance=balance + 1, change=1, reason="gift")
    forged = recorder.take(Input(T0, recorder.state.memory.core_ns, "operator", posted))
    # when it is executed again
    rerun = Rerun(recorder.history)
    derived = [rerun.take(commit) for commit in recorder.commits]
    # then the same comes out, and it is a difference nevertheless
    assert derived[-1].events == forged.events
    found = first_difference(forged, derived[-1])
    assert found is not None
    assert (found.seq, found.n) == (forged.first_seq, 0)
    assert "can not stand there" in found.text


def test_a_mutated_config_is_noticed(whole: Recorder) -> None:
    start = whole.commits[0].events[0].body
    assert isinstance(start, RunStarted)
    other = msgspec.structs.replace(BUILT_IN.simulation, slippage_ticks=5)
    config = encode_settings(msgspec.structs.replace(BUILT_IN, simulation=other))
    mutated = [with_body(whole.commits[0], 0, msgspec.structs.replace(start, config=config)), *whole.commits[1:]]
    rerun = Rerun(whole.history)
    differences = [first_difference(commit, rerun.take(commit)) for commit in mutated]
    first = next(difference for difference in differences if difference is not None)
    assert isinstance(first.recorded, Event)
    assert isinstance(first.recorded.body, OrderFilled)


def test_started_is_the_start_of_a_run_and_nothing_else(whole: Recorder) -> None:
    assert started(whole.commits[0]) is not None
    assert all(started(commit) is None for commit in whole.commits[1:])


def test_the_past_ends_where_it_is_asked_to(whole: Recorder) -> None:
    assert list(past(whole.history, 1, 1)) == [inputs_of(whole.commits[0])]
    from_the_middle = list(past(whole.history, 700, 1501))
    assert [len(items) for items in from_the_middle] == [1, 1]  # the commits of 502..1001 and 1002..1501


def test_the_code_digest_is_of_user_strategies_too(tmp_path: Path) -> None:
    text = "from tradingd.strategies.contract import PythonStrategy\n\n\nclass Mine(PythonStrategy):\n    {}\n"
    flat = "def on_bar(self, state, bar, params): return None"
    strategy = msgspec.structs.replace(BUILT_IN.strategies[0], kind="mine.py:Mine", params={}, exits=())
    settings = msgspec.structs.replace(BUILT_IN, strategies=(strategy,))
    digests = set()
    for body in (flat, f"{flat}  # the same, said otherwise"):
        (tmp_path / "mine.py").write_text(text.format(body))
        library = load_library(settings, tmp_path)
        assert user_texts(library) == {"mine.py:Mine": text.format(body)}
        digests.add(code_digest(library))
    assert len(digests) == 2
    assert code_digest(load_library(BUILT_IN, tmp_path)) == code_digest(load_library(BUILT_IN, tmp_path))
    assert user_texts(load_library(BUILT_IN, tmp_path)) == {}
