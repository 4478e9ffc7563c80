"""A what-if side by side: as cells, and as a page of one file that needs nothing else."""

from collections.abc import Iterable
from html import escape

from tradingd.audit.tally import Summary
from tradingd.audit.what_if import WhatIf

Row = tuple[str, str, str]

HEAD = ("", "recorded config", "what if")
NOTE = "both sides are simulated from the recorded inputs, also the one with the recorded config"
COUNTED = {"decisions": "Decision", "orders": "OrderRequested", "fills": "OrderFilled", "refused": "OrderRefused"}
STYLE = """
:root { color-scheme: light dark; --line: #8884; --other: #d9770622; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.figures td + td, .figures th + th { text-align: right; }
.figures tr.other td { background: var(--other); }
.wide { overflow-x: auto; }
"""


def side_by_side(found: WhatIf) -> list[Row]:
    """(name, of the recorded config, what if) for each figure that either side has."""
    was, would_be = _cells(found.baseline), _cells(found.what_if)
    return [(name, was.get(name, "0"), would_be.get(name, "0")) for name in dict.fromkeys([*was, *would_be])]


def page(journal: str, found: WhatIf) -> str:
    """HTML. Decisions are those in `found.first`."""
    decisions = [
        (f"{each.seq}, {each.instrument}", each.baseline or "no decision", each.what_if or "no decision")
        for each in found.first
    ]
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><meta charset="utf-8"><title>What if: {escape(journal)}</title>',
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>',
            f"<h1>What if: {escape(journal)}</h1>",
            f"<p>{found.last_seq:,} inputs; {NOTE}.</p>",
            *_table("figures", HEAD, side_by_side(found)),
            f"<h2>{found.differing:,} differing decisions, the first {len(decisions):,}</h2>",
            *_table("decisions", ("at", *HEAD[1:]), decisions),
            "</html>\n",
        ]
    )


def _table(kind: str, head: Row, rows: Iterable[Row]) -> list[str]:
    """Rows of which the sides differ are marked."""
    return [
        f'<div class="wide"><table class="{kind}"><thead>{_row("th", head, "")}</thead><tbody>',
        *(_row("td", row, "other" if row[1] != row[2] else "") for row in rows),
        "</tbody></table></div>",
    ]


def _row(tag: str, cells: Row, kind: str) -> str:
    return f'<tr class="{kind}">' + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _cells(summary: Summary) -> dict[str, str]:
    cells = {name: f"{summary.counts.get(kind, 0):,}" for name, kind in COUNTED.items()}
    cells |= {f"refused by {rule}": f"{each.count:,}" for rule, each in summary.refused.items()}
    for name, traded in summary.traded.items():
        cells |= {f"{name} realised": f"{traded.realized} {traded.currency}"}
        cells |= {f"{name} fees": f"{traded.fees} {traded.currency}"}
    return cells | {f"equity in {currency}": each.equity for currency, each in summary.accounts.items()}
