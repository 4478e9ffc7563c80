"""Every effect that the core asks for. A command is a pure function of a fact, so it needs no record of its own."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from tradingd.events import (
    Anomaly,
    AnyBody,
    FeedStatus,
    Gap,
    Halted,
    InputRejected,
    OrderRejected,
    OrderRequested,
    Resumed,
)


class Approved(Struct, frozen=True):
    """An order that passed the risk gate. Brokers and venues take nothing else; only `risk` constructs it."""

    order: OrderRequested


class Notify(Struct, frozen=True):
    """Tell a human."""

    level: str  # "info", "warning" or "critical"
    text: str


Command = Notify


def commands_of(body: AnyBody) -> tuple[Command, ...]:
    """What a durable fact asks for. The simulated venue is part of the core, so its orders need no command."""
    words = _WORDS.get(type(body))
    return (Notify(words[0], words[1](body)),) if words else ()


_WORDS: dict[type, tuple[str, Callable[[Any], str]]] = {
    Halted: ("critical", lambda body: f"halted by {body.rule}: {body.text}"),
    Resumed: ("warning", lambda body: f"resumed by {body.by}"),
    Anomaly: ("critical", lambda body: f"anomaly: {body.what}: {body.detail}"),
    Gap: ("warning", lambda body: f"feed {body.feed}: gap, {body.detail}"),
    FeedStatus: ("info", lambda body: f"feed {body.feed}: {body.state} {body.detail}".rstrip()),
    InputRejected: ("warning", lambda body: f"feed {body.feed}: {body.where}: {body.reason}"),
    OrderRejected: ("warning", lambda body: f"order {body.cl_ord_id} rejected: {body.text}"),
}
