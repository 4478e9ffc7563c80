"""Options that several commands of trade data take, each spelled once."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import frame

DEFAULT = Path("data")

Timeframe = Literal["1s", "1m", "5m", "15m", "30m", "1h", "4h", "1d"]
Folder = Annotated[Path, typer.Option("--catalogue", "-C", metavar="DIR", help="The catalogue's folder.")]
Id = Annotated[str, typer.Argument(metavar="INSTRUMENT", help="VENUE:SYMBOL.", show_default=False)]
SessionOption = Annotated[
    str | None,
    typer.Option(metavar="SESSION", help="When it trades, like mon-fri/09:30-16:00@America/New_York, or a part of it."),
]
Replace = Annotated[bool, typer.Option("--replace", help="Put the rows in the place of others that are there.")]
BarsName = Annotated[Timeframe, typer.Option("--name", "-n", metavar="NAME", help="Which bars: 1m, 1d.")]
OutlierTimes = Annotated[
    float, typer.Option("--outlier", metavar="TIMES", min=1, help="Further off than so many usual steps.")
]
OutlierMin = Annotated[float, typer.Option("--outlier-min", metavar="SHARE", min=0, help="And further off than this.")]
SplitShare = Annotated[float, typer.Option(metavar="SHARE", min=0, help="How near to a ratio of whole numbers.")]


def pair(text: str, example: str) -> tuple[str, str]:
    """Of NAME=VALUE. Raises UsageError."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise frame.UsageError(f"{text!r} is no NAME=VALUE; write it like {example}")
    return name.strip(), value
