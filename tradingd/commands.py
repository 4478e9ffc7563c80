"""Every effect that the core asks for. A command is a pure function of a fact, so it needs no record of its own."""

from msgspec import Struct

from tradingd.events import Anomaly, AnyBody, FeedStatus, Gap, Halted, OrderRejected, OrderRequested, Resumed


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
    match body:
        case Halted():
            return (Notify("critical", f"halted by {body.rule}: {body.text}"),)
        case Resumed():
            return (Notify("warning", f"resumed by {body.by}"),)
        case Anomaly():
            return (Notify("critical", f"anomaly: {body.what}: {body.detail}"),)
        case Gap():
            return (Notify("warning", f"feed {body.feed}: gap, {body.detail}"),)
        case FeedStatus():
            return (Notify("info", f"feed {body.feed}: {body.state} {body.detail}".rstrip()),)
        case OrderRejected():
            return (Notify("warning", f"order {body.cl_ord_id} rejected: {body.text}"),)
        case _:
            return ()
