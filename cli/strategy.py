"""trade strategy: what there is, and a template for one's own."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from . import frame
from .options import AsJson
from .output import answer, table

app = frame.group("List strategies and exits, and make new ones.")


@app.command("ls")
def list_built_in(as_json: AsJson = False) -> None:
    """List the built-in strategies and exits with their parameters.

    Example: trade strategy ls
    """
    from tradingd.strategies.loader import EXITS, STRATEGIES

    found = [_described(name, "strategy") for name in STRATEGIES] + [_described(name, "exit") for name in EXITS]
    rows = [(item["role"], item["kind"], _named(item["params"]), item["summary"]) for item in found]
    answer({"strategies": found}, table(rows), as_json)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and _.", show_default=False)],
    folder: Annotated[
        Path, typer.Option("--folder", "-f", metavar="FOLDER", help="Where to write; made where it is not there.")
    ] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a commented strategy and its test, to start from.

    Example: trade strategy new my_idea --folder strategies
    """
    from tradingd.strategies.scaffold import new_strategy

    strategy, test = new_strategy(name, folder)
    lines = [
        f"{strategy} is the strategy; a config names it by its path from there: {strategy.name}:{name}",
        f"{test} is its test: pytest {test}",
    ]
    answer({"strategy": str(strategy), "test": str(test), "kind": f"{strategy.name}:{name}"}, lines, as_json)


def _described(kind: str, role: str) -> dict[str, Any]:
    from tradingd.strategies.contract import CompiledStrategy
    from tradingd.strategies.loader import BUILT_IN, load_strategy

    strategy = load_strategy(kind, Path())
    assert isinstance(strategy, CompiledStrategy)
    text = sys.modules[BUILT_IN[kind]].__doc__ or ""
    return {"kind": kind, "role": role, "params": strategy.defaults, "summary": text.partition("\n")[0]}


def _named(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items())
