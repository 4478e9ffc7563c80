"""trade state and trade diff: what was known at a point, and what is different at another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import frame
from .options import AsJson, JournalArgument
from .output import Mood, answer, counted, note, styled, table
from .reading import opened

if TYPE_CHECKING:
    from tradingd.audit.states import Rebuilt
    from tradingd.audit.views import Change, StateView

HEAD = ("seq", "core_time", "core_time_ns")
# what two journals never share; the venue's orders go by their ids
OF_ONE_JOURNAL = ("cl_ord_id", "venue")
MEMORY_HELP = "Also what can be rebuilt: prices, bars in progress, strategies, the simulated venue."


def state(
    journal: JournalArgument,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME|SEQ", help="A core time (ISO), or a seq; else the end.")
    ] = None,
    memory: Annotated[bool, typer.Option("--memory", help=MEMORY_HELP)] = False,
    as_json: AsJson = False,
) -> None:
    """Show positions, accounts, orders, halts and signals as they were at a point, with the state's digest.

    The state is re-executed from the nearest snapshot of the same code, else from the first input.

    Example: trade state journal/demo --at 2025-03-03T15:30:00-05:00
    """
    from tradingd.audit.views import view

    rebuilt = _at(journal, at)
    shown = view(rebuilt.state, memory=memory)
    answer(shown, _lines(shown), as_json)


def diff(
    journal: JournalArgument,
    a: Annotated[str, typer.Argument(metavar="A", help="TIME or SEQ; or another journal, then without B.")],
    b: Annotated[str | None, typer.Argument(metavar="[B]", help="TIME or SEQ.", show_default=False)] = None,
    memory: Annotated[bool, typer.Option("--memory", help=MEMORY_HELP)] = False,
    as_json: AsJson = False,
) -> None:
    """Show what is different between two points of a journal, or between the ends of two journals.

    The answer is no (1) where something is. Orders are compared by their ordinal, not by their id.

    Example: trade diff journal/demo 2025-03-03T15:00:00Z 2025-03-03T16:00:00Z

    Example: trade diff journal/demo journal/demo-2
    """
    from tradingd.audit.views import changes, view

    sides = [(journal, a), (journal, b)] if b is not None else [(journal, None), (Path(a), None)]
    old, new = (view(_at(folder, point).state, memory=memory) for folder, point in sides)
    found = changes(old, new, left_out=HEAD + (OF_ONE_JOURNAL if b is None else ()))
    result = {"identical": not found, "old": _head(old), "new": _head(new), "changes": found}
    answer(result, _change_lines(old, new, found), as_json)
    if found:
        raise typer.Exit(frame.NO)


def _at(journal: Path, point: str | None) -> "Rebuilt":
    from tradingd.audit.points import seq_at
    from tradingd.audit.states import state_at

    with opened(journal) as reader:
        rebuilt = state_at(reader, seq_at(reader, point))
    note(f"{journal}: executed seq {rebuilt.from_seq} to {rebuilt.state.seq}")
    return rebuilt


def _head(view: "StateView") -> dict[str, Any]:
    return {"seq": view.seq, "core_time": view.core_time, "digest": view.digest}


# --- lines ------------------------------------------------------------------------------------------------------------


def _lines(view: "StateView") -> list[str]:
    sections: dict[str, list[tuple[str, ...]]] = {
        "accounts": [
            (name, f"balance {each.balance}, equity {each.equity}, opened with {each.opening}")
            for name, each in view.accounts.items()
        ],
        "positions": [
            (
                name,
                f"{each.quantity:.12g}" + (f" at {each.average_price:.12g}" if each.average_price is not None else ""),
                f"mark {each.mark}, unrealised {each.unrealized}, realised {each.realized}",
            )
            for name, each in view.positions.items()
        ],
        "open orders": [(name, each.status, each.order, each.cl_ord_id) for name, each in view.orders.items()],
        "halts": list(view.halts.items()),
        "decisions": [(name, _wish(wish)) for name, wish in view.decisions.items()],
        "signals": [
            (strategy, name, _wish(wish)) for strategy, of in view.signals.items() for name, wish in of.items()
        ],
        "refused": [(rule, f"{count}") for rule, count in view.refusals.items()],
        "counted": [(name, f"{count:,}") for name, count in view.counts.items()],
        "rows taken": [(feed, f"{rows:,}", view.feeds.get(feed, "")) for feed, rows in view.cursors.items()],
    }
    lines = [f"after seq {view.seq}, core time {view.core_time}", f"state digest {view.digest}"]
    for name, rows in sections.items():
        lines += [styled(name, Mood.QUIET), *(f"  {line}" for line in table(rows))] if rows else []
    return lines + _memory_lines(view)


def _wish(wish: Any) -> str:
    confidence = "" if wish.confidence is None else f", confidence {wish.confidence:.3g}"
    named = ((name.replace("_", " "), getattr(wish, name)) for name in wish.__struct_fields__[3:])
    prices = "".join(f", {name} {price:.12g}" for name, price in named if price is not None)
    return f"target {wish.target:+.4g} at {wish.price:.12g}{confidence}{prices}"


def _memory_lines(view: "StateView") -> list[str]:
    if not view.memory:
        return []
    from tradingd.audit.views import leaves

    return [styled("memory", Mood.QUIET), *(f"  {path} = {value}" for path, value in leaves(view.memory))]


def _change_lines(old: "StateView", new: "StateView", found: "list[Change]") -> list[str]:
    heads = [f"old: seq {old.seq}, core time {old.core_time}", f"new: seq {new.seq}, core time {new.core_time}"]
    if not found:
        return [*heads, f"identical, state digest {new.digest}"]
    rows = [(each.path, _said(each.old), "->", _said(each.new)) for each in found]
    return [*heads, counted(len(found), "difference"), *(f"  {line}" for line in table(rows))]


def _said(value: object) -> str:
    return "nothing" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)
