"""Every effect that the core asks for. A command is a pure function of a fact, so it needs no record of its own."""

from msgspec import Struct

from tradingd.events import OrderRequested


class Approved(Struct, frozen=True):
    """An order that passed the risk gate. Brokers and venues take nothing else; only `risk` constructs it."""

    order: OrderRequested


class Notify(Struct, frozen=True):
    """Tell a human."""

    level: str  # "info", "warning" or "critical"
    text: str


Command = Notify
