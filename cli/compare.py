"""trade compare: two backtests side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import AsJson
from .output import Mood, answer, styled, table

if TYPE_CHECKING:
    from tradingd.backtesting.comparing import Comparison, Row, Value

Result = Annotated[
    Path, typer.Argument(metavar="RESULT", help="What trade backtest --json printed.", show_default=False)
]


def compare(a: Result, b: Result, as_json: AsJson = False) -> None:
    """Set two backtests side by side: the settings that differ, every figure, and the main ones of each instrument.

    Example: trade compare before.json after.json
    """
    from tradingd.backtesting.comparing import compare as compared
    from tradingd.backtesting.comparing import read_result

    found = compared(read_result(a), read_result(b))
    answer(found, _lines(str(a), str(b), found), as_json)


def _lines(a: str, b: str, found: "Comparison") -> list[str]:
    space = ("", "", "", "")
    rows = [("", a, b, "change"), *map(_cells, found.settings), space, *map(_cells, found.metrics)]
    rows += [space, *map(_cells, found.assets)] if found.assets else []
    warnings = [
        styled(f"not the same {what}", Mood.DOUBTFUL)
        for what, same in (("data", found.same_data), ("code", found.same_code))
        if not same
    ]
    return [*warnings, *table(rows)]


def _cells(row: "Row") -> tuple[str, str, str, str]:
    return row.name, _text(row.a), _text(row.b), _number(row.change, "+") if row.change else ""


def _text(value: "Value") -> str:
    return "-" if value is None else _number(value) if isinstance(value, float) else str(value)


def _number(value: float, sign: str = "") -> str:
    """Money to the cent, ratios to six digits."""
    return f"{value:{sign},.2f}" if abs(value) >= 1000 else f"{value:{sign}.6g}"
