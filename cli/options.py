"""Options that several commands take, each spelled once."""

from pathlib import Path
from typing import Annotated

import typer

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
