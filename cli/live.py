"""The demo while it plays: a live screen on a terminal, a line now and then elsewhere."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Group

    from tradingd.api.messages import Status
    from tradingd.audit.newest import Line

NEWEST = 10  # events on the screen
PLAIN_S = 3.0  # between lines where no one looks
COUNTED = {
    "ticks": "Tick",
    "bars": "Bar",
    "signals": "Signal",
    "decisions": "Decision",
    "orders": "OrderRequested",
    "fills": "OrderFilled",
    "refused": "OrderRefused",
}

Show = Callable[["Status", "deque[Line]"], None]


@contextmanager
def live() -> Iterator[Show]:
    """How to show a status: on a terminal in place, else as plain lines."""
    if not sys.stdout.isatty():
        yield _Plain().show
        return
    from rich.live import Live

    with Live(refresh_per_second=8, transient=True) as screen:
        yield lambda status, newest: screen.update(_screen(status, newest))


class _Plain:
    def __init__(self) -> None:
        self._next_s = 0.0

    def show(self, status: "Status", _newest: "deque[Line]") -> None:
        if status.core_time_ns and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + PLAIN_S
            print(f"{_core_time(status)}  {', '.join(_counts(status))}, equity {_equity(status)}", flush=True)


def silent(_status: "Status", _newest: "deque[Line]") -> None:
    """For programs, which read nothing but the result."""


def _core_time(status: "Status") -> str:
    from tradingd.audit.points import time_text

    return time_text(status.core_time_ns // 10**9 * 10**9)


def _counts(status: "Status") -> list[str]:
    return [f"{status.counts.get(kind, 0):,} {name}" for name, kind in COUNTED.items()]


def _equity(status: "Status") -> str:
    return ", ".join(f"{account.equity} {account.currency}" for account in status.accounts)


def _screen(status: "Status", newest: "deque[Line]") -> "Group":
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    state = f"{status.state}, halted by {status.halted_by}" if status.halted_by else status.state
    feeds = ", ".join(f"{feed.name} {feed.state or 'waits'}" for feed in status.feeds)
    head = [f"{state}, core time {_core_time(status)}", f"feeds: {feeds}", " · ".join(_counts(status))]
    money = [f"equity {a.equity} {a.currency}, balance {a.balance}" for a in status.accounts]
    positions = [
        f"{p.instrument:<10} {p.quantity:>+9,.12g} at {p.average_price:<12.8g} unrealized {p.unrealized}"
        for p in status.positions
    ]
    events = [f"{line.seq}.{line.n:<3} {line.text}" for line in newest]
    return Group(
        Panel(Text("\n".join([*head, *money])), title=f"tradingd {status.instance}", title_align="left"),
        Panel(Text("\n".join(positions) or "none", no_wrap=True), title="positions", title_align="left"),
        Panel(Text("\n".join(events) or "none yet", no_wrap=True), title="fills and refusals", title_align="left"),
        Text(f"journal {status.journal} (Ctrl-C ends the day early)", style="dim"),
    )
