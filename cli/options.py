"""Options that several commands take, each spelled once."""

from pathlib import Path
from typing import Annotated, Any

import typer

from . import frame

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
ConfigFile = Annotated[Path, typer.Argument(help="The TOML file.", show_default=False)]
JournalArgument = Annotated[Path, typer.Argument(metavar="JOURNAL", help="The journal's folder.", show_default=False)]
ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="The TOML file.", show_default=False)
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change one value of the config, written as in TOML: --set strategies.cross.params.fast=20. Repeatable.",
        show_default=False,
    ),
]


def written_file(text: str) -> Any:
    """A file that a command writes at its end; whether there is a folder for it is seen at the beginning."""
    return typer.Option(metavar="FILE", help=text, callback=_with_folder)


def _with_folder(file: Path | None) -> Path | None:
    if file is not None and not file.absolute().parent.is_dir():
        raise frame.UsageError(f"{file} can not be written: there is no folder {file.parent}")
    return file
