"""trade data roll and adjust: price series on one scale."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import frame
from .data_options import DEFAULT, BarsName, Folder, Id, Replace, SessionOption, pair
from .data_text import adjust_lines, found_lines, roll_lines
from .options import AsJson
from .output import answer

if TYPE_CHECKING:
    from tradingd.catalogue.adjust import Dividend, Split


def roll(
    contracts: Annotated[
        list[str], typer.Argument(metavar="CONTRACT...", help="VENUE:SYMBOL, the oldest first.", show_default=False)
    ],
    into: Annotated[str, typer.Option("--into", "-i", metavar="ID", help="The series to make, VENUE:SYMBOL.")],
    name: BarsName,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at", metavar="DATE", help="The next contract's first day; once for each roll.", show_default=False
        ),
    ] = None,
    volume_days: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Roll after N days of more volume in the next contract.")
    ] = None,
    adjust: Annotated[
        Literal["none", "difference", "ratio"],
        typer.Option(help="How older contracts are brought to the prices of the newest."),
    ] = "none",
    session: SessionOption = None,
    replace: Replace = False,
    catalogue: Folder = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Make one series of the bars of several contracts. The newest one keeps its prices; no bar is made up.

    With --adjust the closes of the last bar that both contracts have before a roll say by how much the older ones are
    shifted. The record keeps which contract is where, and each shift.

    Example: trade data roll CME:ESZ3 CME:ESH4 --into CME:ES --name 1m --volume-days 1 --adjust difference
    """
    from tradingd.catalogue.roll_rules import Rule
    from tradingd.catalogue.rolling import roll_data
    from tradingd.catalogue.store import Catalogue
    from tradingd.catalogue.trading_days import parse_date

    rule = Rule([parse_date(day) for day in at or []], volume_days)
    done = roll_data(Catalogue(catalogue), contracts, name, into, rule, adjust, session, replace=replace)
    made = done.written
    answer({"record": made.record, "changed": made.changed, "rolls": done.rolls}, roll_lines(done), as_json)


def adjust(
    instrument: Id,
    name: BarsName,
    split: Annotated[
        list[str] | None,
        typer.Option("--split", metavar="DATE=RATIO", help="New shares for an old one: 7, 3:2, 1:8. Repeatable."),
    ] = None,
    dividend: Annotated[
        list[str] | None,
        typer.Option("--dividend", metavar="DATE=AMOUNT", help="In cash, by its ex-date. Repeatable."),
    ] = None,
    found: Annotated[
        bool, typer.Option("--found", help="The splits that `check` finds; only shown without --yes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="What is found is so.")] = False,
    session: SessionOption = None,
    catalogue: Folder = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Take splits and cash dividends out of bars, on request only. The former file is kept beside.

    Prices before a split are divided by its ratio and volumes multiplied; prices before a dividend are multiplied by
    1 - amount / previous close. Bars from the last event on stay as they are.

    Example: trade data adjust US:AAPL --name 1d --split 2014-06-09=7 --split 2020-08-31=4
    """
    from tradingd.catalogue.adjusting import adjust_data, splits_found
    from tradingd.catalogue.findings import Limits
    from tradingd.catalogue.store import Catalogue

    of = Catalogue(catalogue)
    record = of.record(instrument, name)
    if yes and not found:
        raise frame.UsageError("--yes says that what --found finds is so; say --found too, or name the splits")
    splits, dividends = _events(split or [], dividend or [])
    there = splits_found(of, record, session, Limits()) if found else []
    told = {"found": [{"day": str(each.day), "ratio": str(each.ratio)} for each in there]}
    if found and not yes:
        return answer(told | {"record": record, "applied": [], "kept": None}, found_lines(there), as_json)
    said = {each.day for each in splits}
    done = adjust_data(of, record, [*splits, *(each for each in there if each.day not in said)], dividends, session)
    result = told | {"record": done.record, "applied": done.applied, "kept": str(done.kept)}
    return answer(result, adjust_lines(done), as_json)


def _events(splits: list[str], dividends: list[str]) -> "tuple[list[Split], list[Dividend]]":
    from tradingd.catalogue.adjusting import parse_dividend, parse_split

    return (
        [parse_split(*pair(text, "--split 2014-06-09=7")) for text in splits],
        [parse_dividend(*pair(text, "--dividend 2014-05-08=3.29")) for text in dividends],
    )
