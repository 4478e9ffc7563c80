"""tradingd status, halt, resume, flatten and stop: what an operator tells a running daemon."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import frame
from .options import AsJson
from .output import Mood, answer, styled, table

if TYPE_CHECKING:
    from tradingd.api.messages import Status

JournalOption = Annotated[
    Path | None, typer.Option("--journal", "-j", metavar="FOLDER", help="The journal of the daemon.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="The config that the daemon was started with.")
]
Reason = Annotated[str, typer.Option("--reason", "-m", metavar="TEXT", help="Why; written into the journal.")]


def status(journal: JournalOption = None, config: ConfigOption = None, as_json: AsJson = False) -> None:
    """What the daemon does right now.

    Example: tradingd status -j journal/demo
    """
    from tradingd.api.client import call
    from tradingd.api.messages import Request, Status

    reply = call(socket(journal, config), Request("status"))
    assert isinstance(reply, Status)
    answer(reply, _lines(reply), as_json)


def halt(
    journal: JournalOption = None, config: ConfigOption = None, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Cancel open orders and allow no new exposure.

    It stays so until someone resumes; a restart does not lift it.

    Example: tradingd halt -j journal/demo -m "odd fills on SIM:AAA"
    """
    _command("halt", journal, config, reason, as_json)


def resume(
    journal: JournalOption = None, config: ConfigOption = None, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Allow new exposure again after a halt.

    Example: tradingd resume -j journal/demo -m "checked with the venue"
    """
    _command("resume", journal, config, reason, as_json)


def flatten(
    journal: JournalOption = None, config: ConfigOption = None, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Close all positions, and allow no new exposure.

    The orders go through the risk gate like any other; the halt stays until someone resumes.

    Example: tradingd flatten -j journal/demo -m "end of the week"
    """
    _command("flatten", journal, config, reason, as_json)


def stop(
    journal: JournalOption = None, config: ConfigOption = None, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Stop the daemon cleanly; positions stay as they are.

    Example: tradingd stop -j journal/demo
    """
    _command("stop", journal, config, reason, as_json)


def register(app: typer.Typer) -> None:
    for command in (status, halt, resume, flatten, stop):
        app.command()(command)


def _command(
    op: Literal["halt", "resume", "flatten", "stop"],
    journal: Path | None,
    config: Path | None,
    reason: str,
    as_json: bool,
) -> None:
    from tradingd.api.client import call
    from tradingd.api.messages import Recorded, Request

    reply = call(socket(journal, config), Request(op, reason))
    assert isinstance(reply, Recorded)
    answer({"op": op, "seq": reply.seq}, [f"{op}: recorded at {reply.seq}"], as_json)


def socket(journal: Path | None, config: Path | None) -> Path:
    """Where the daemon listens that is meant. Raises UsageError, ConfigError."""
    from tradingd.config import places

    if journal and not config:
        return places.socket_in(journal)
    if config and not journal:
        return places.socket_of(config)
    raise frame.UsageError("say which daemon: --journal FOLDER or --config FILE")


def _lines(status: "Status") -> list[str]:
    mood = Mood.GOOD if status.state == "running" else Mood.DOUBTFUL
    return [
        f"{status.instance}: {styled(status.state, mood)}{_halt(status)}",
        *table(
            [
                ("journal", f"{status.journal} (epoch {status.epoch}, durable to {status.seq})"),
                ("core time", _time(status.core_time_ns)),
                ("process", str(status.pid)),
                ("orders", f"{status.open_orders} open, {status.in_doubt_orders} in doubt"),
                *(("feed", f"{f.name}: {f.state or 'not started'} {f.detail}".rstrip()) for f in status.feeds),
                *(("account", f"{a.currency} {a.balance}, equity {a.equity}") for a in status.accounts),
                *(
                    ("position", f"{p.instrument} {p.quantity:g} at {p.average_price:g}, unrealized {p.unrealized}")
                    for p in status.positions
                ),
                ("this run", ", ".join(f"{name} {count}" for name, count in sorted(status.counts.items()))),
            ]
        ),
    ]


def _halt(status: "Status") -> str:
    return f" (by {status.halted_by}: {status.halt_text})" if status.halted_by else ""


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(sep=" ", timespec="milliseconds")
