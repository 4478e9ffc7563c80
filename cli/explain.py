"""trade explain: why something happened, or why nothing was traded."""

from typing import Annotated

import typer

from .options import AsJson, JournalArgument
from .output import answer, table
from .reading import opened


def explain(
    journal: JournalArgument,
    position: Annotated[str, typer.Argument(metavar="SEQ[.N]", help="As `trade journal tail` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Follow a fill back to the tick behind it; say why an order was refused, or why nothing was traded.

    SEQ alone is an input: what it was, and all that it caused.

    Example: trade explain journal/demo 23051.5
    """
    from tradingd.audit.explain import explain as explained
    from tradingd.audit.points import parse_position

    with opened(journal) as reader:
        found = explained(reader, parse_position(position))
    rows = table((step.link, step.position, step.type, step.text) for step in found.chain)
    answer(found, [f"{found.position}: {found.answer}", *(f"  {row}" for row in rows)], as_json)
