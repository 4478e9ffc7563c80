"""tradingd tail: what a running daemon has just made durable."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from . import control
from .options import AsJson

if TYPE_CHECKING:
    from tradingd.api.messages import Following, Happened
    from tradingd.audit.runs import Names


def tail(
    journal: control.JournalOption = None,
    config: control.ConfigOption = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="Only these types of event. Repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Follow a running daemon: every event once it is durable, ticks and bars left out, until Ctrl-C.

    With --json one object per line and event. Who reads too slowly is let go; the daemon never waits.

    Example: tradingd tail -j journal/demo --type OrderFilled --type OrderRefused
    """
    from tradingd.api.client import follow

    streamed = follow(control.socket(journal, config))
    try:
        _print_all(streamed, types or [], as_json)
    except KeyboardInterrupt:
        raise typer.Exit from None
    print("the daemon has ended", file=sys.stderr)


def _print_all(streamed: "Iterator[Following | Happened]", types: list[str], as_json: bool) -> None:
    from tradingd.api.messages import Happened, encode
    from tradingd.audit.runs import Names
    from tradingd.core.settings import decode_settings

    following = next(streamed, None)
    if following is None or isinstance(following, Happened):
        return
    names = Names(decode_settings(following.config), following.sources)
    for event in streamed:
        if isinstance(event, Happened) and (not types or type(event.body).__name__ in types):
            print(encode(event).decode() if as_json else _line(event, names), end="" if as_json else "\n", flush=True)


def _line(event: "Happened", names: "Names") -> str:
    from tradingd.audit.points import Position, time_text
    from tradingd.audit.words import in_words

    kind, when = type(event.body).__name__, time_text(event.ts_received_ns)
    return f"{Position(event.seq, event.n)!s:<12} {when}  {kind:<15} {in_words(event.body, names)}"
