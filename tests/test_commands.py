"""What facts ask for: a pure function of them."""

import pytest

from tradingd.commands import Notify, commands_of
from tradingd.events import (
    BODY_TYPES,
    Anomaly,
    AnyBody,
    ClockAdvanced,
    FeedState,
    FeedStatus,
    Gap,
    Halted,
    InputRejected,
    LateTick,
    OrderAccepted,
    OrderRejected,
    Resumed,
    RunStopped,
)

TOLD: list[tuple[AnyBody, str, str]] = [
    (Halted(rule="drawdown", text="2.1 % lost"), "critical", "halted by drawdown: 2.1 % lost"),
    (Resumed("uid=1000(ana) pid=7", "checked"), "warning", "resumed by uid=1000(ana) pid=7"),
    (Anomaly("impossible posting", "USD"), "critical", "anomaly: impossible posting: USD"),
    (Gap("market", None, 3, "3 messages"), "warning", "feed market: gap, 3 messages"),
    (FeedStatus("market", FeedState.CONNECTED), "info", "feed market: connected"),
    (FeedStatus("market", FeedState.DONE, "9 rows"), "info", "feed market: done 9 rows"),
    (InputRejected("market", "a.csv:3", "no price", "x"), "warning", "feed market: a.csv:3: no price"),
    (OrderRejected("A-1-2-3", "nothing to reduce"), "warning", "order A-1-2-3 rejected: nothing to reduce"),
]


@pytest.mark.parametrize(("body", "level", "text"), TOLD, ids=lambda value: type(value).__name__)
def test_a_human_is_told(body: AnyBody, level: str, text: str) -> None:
    assert commands_of(body) == (Notify(level, text),)
    assert commands_of(body) == commands_of(body)


@pytest.mark.parametrize("body", [ClockAdvanced(), LateTick(0, 1), OrderAccepted("A-1-2-3"), RunStopped("bye")])
def test_most_facts_ask_for_nothing(body: AnyBody) -> None:
    assert commands_of(body) == ()


def test_every_level_is_one_that_the_log_knows() -> None:
    assert {level for _, level, _ in TOLD} <= {"info", "warning", "critical"}
    assert {type(body).__name__ for body, _, _ in TOLD} <= set(BODY_TYPES)
