"""How commands answer: lines for people, one object for programs."""

import os
import sys
from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


class Mood(Enum):
    """Colours, by what they say."""

    GOOD = "32"
    DOUBTFUL = "33"
    BAD = "31"
    QUIET = "2"


def answer(result: object, lines: Iterable[str], as_json: bool) -> None:
    """Prints `result` as one JSON object, or the lines."""
    if as_json:
        import msgspec

        print(msgspec.json.encode(result).decode())
        return
    for line in lines:
        print(line)


def styled(text: str, mood: Mood) -> str:
    """In colour where someone looks and has not asked for none (NO_COLOR)."""
    return f"\x1b[{mood.value}m{text}\x1b[0m" if in_colour() else text


def in_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def note(text: str) -> None:
    """A line about what is going on, for a person who waits; programs read standard output only."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def counted(number: int, noun: str) -> str:
    """1 segment, 2,000 segments."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def frame_lines(frame: "pl.DataFrame") -> list[str]:
    """A frame as lines: names, then rows; an absent value as -."""
    cells = [tuple("-" if value is None else _cell(value) for value in row) for row in frame.rows()]
    return table([tuple(frame.columns), *cells])


def _cell(value: object) -> str:
    """A time without the offset that is always UTC; a number without noise; bytes in hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix("+00:00")
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows as lines with aligned columns."""
    rows = list(rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
