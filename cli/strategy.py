"""trade strategy: what there is, a template for one's own, and two questions to any."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from . import frame
from .options import AsJson
from .output import answer, table

KindArgument = Annotated[str, typer.Argument(metavar="KIND", help="Built in, or file.py:name.", show_default=False)]
Data = Annotated[
    list[Path],
    typer.Option(
        "--data",
        "-d",
        metavar="FILE",
        help="Bars: Parquet of a catalogue, or CSV; of each instrument that the strategy takes at once.",
        show_default=False,
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter. Repeatable.", show_default=False),
]

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


@app.command()
def lookahead(kind: KindArgument, data: Data, sets: Sets = None, as_json: AsJson = False) -> None:
    """Run a strategy on bars, and again without those that come later: what it said before has to be the same.

    The answer is no (1) where the future changes the past.

    Example: trade strategy lookahead sma_cross --data data/US+GOOG/bars-1d.parquet
    """
    from tradingd.backtesting.probing import lookahead as looked
    from tradingd.feeds.bars.table import read_bars

    found = looked(kind, _params(sets), [read_bars(file) for file in data], Path())
    line = f"{kind}: the same without the future, at {found.cuts} cuts of {found.bars:,} bars"
    if found.bar is not None and found.cut is not None:
        without = f"{found.without} where bar {found.cut - 1} is the last"
        line = f"{kind} looks ahead: at the close of bar {found.bar} it says {found.with_future}, and {without}"
    answer(found, [line], as_json)
    if found.bar is not None:
        raise typer.Exit(frame.NO)


@app.command()
def warmup(kind: KindArgument, data: Data, sets: Sets = None, as_json: AsJson = False) -> None:
    """Find how many bars a strategy needs before it says what it would say with all that came before.

    The answer is no (1) where that is more than it declares.

    Example: trade strategy warmup sma_cross --data data/US+GOOG/bars-1d.parquet --set slow=200
    """
    from tradingd.backtesting.probing import warmup as warmed
    from tradingd.feeds.bars.table import read_bars

    found = warmed(kind, _params(sets), [read_bars(file) for file in data], Path())
    needs = (
        f"{found.needed:,} bars"
        if found.needed
        else f"more than half of these {found.bars:,} bars, if any number is enough"
    )
    answer(found, [f"{kind} needs {needs}; it declares {found.declared:,}"], as_json)
    if found.needed is None or found.needed > found.declared:
        raise typer.Exit(frame.NO)


def _params(sets: list[str] | None) -> dict[str, Any]:
    from tradingd.config.overrides import apply_overrides

    params: dict[str, Any] = {}
    apply_overrides(params, sets or [])
    return params


def _described(kind: str, role: str) -> dict[str, Any]:
    from tradingd.strategies.contract import CompiledStrategy
    from tradingd.strategies.loader import BUILT_IN, load_strategy

    strategy = load_strategy(kind, Path())
    assert isinstance(strategy, CompiledStrategy)
    text = sys.modules[BUILT_IN[kind]].__doc__ or ""
    return {"kind": kind, "role": role, "params": strategy.defaults, "summary": text.partition("\n")[0]}


def _named(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items())
