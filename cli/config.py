"""trade config: check, show, init and schema."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import frame
from .options import AsJson, ConfigFile, Overrides
from .output import Mood, answer, note, styled

if TYPE_CHECKING:
    from tradingd.config.problems import Problem
    from tradingd.config.settings import Config

app = frame.group("Check, show and make configs.")


@app.command()
def check(config: ConfigFile, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Say everything that is wrong with a config.

    Example: trade config check configs/demo.toml
    """
    problems, digest = _problems(config, overrides or [])
    result = {
        "ok": not problems,
        "config": str(config),
        "digest": digest,
        "problems": [{"path": problem.path, "text": problem.text} for problem in problems],
    }
    if problems:
        lines = [styled(f"{config}: {problem}", Mood.BAD) for problem in problems]
    else:
        lines = [styled(f"{config}: good", Mood.GOOD)]
    answer(result, lines, as_json)
    if problems:
        raise typer.Exit(frame.USAGE)


@app.command()
def show(config: ConfigFile, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Print the whole config as it is used, defaults included, each line as --set takes it.

    Example: trade config show configs/demo.toml --set risk.max_notional=5000.0
    """
    import msgspec

    from tradingd.config.flat import flat_lines
    from tradingd.config.load import load

    resolved = msgspec.to_builtins(load(config, overrides or []))
    answer(resolved, flat_lines(resolved), as_json)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="The file to write.", show_default=False)], as_json: AsJson = False
) -> None:
    """Write a commented config that runs as it is: a simulated market and a simulated venue.

    Example: trade config init mine.toml && tradingd start -c mine.toml
    """
    from tradingd.config.template import demo_text, is_name

    if not is_name(file.stem):
        raise frame.UsageError(f"{file}: the daemon is named after the file; choose a name of letters, digits, - and _")
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(demo_text(file.stem))
    except FileExistsError as error:
        raise frame.UsageError(f"{file} is there already; choose another name") from error
    except FileNotFoundError as error:
        raise frame.UsageError(f"there is no folder {file.parent}; make it first") from error
    start = f"tradingd start -c {shlex.quote(str(file))}"
    answer({"config": str(file)}, [f"{file} is written; start it with: {start}"], as_json)


@app.command()
def schema(as_json: AsJson = False) -> None:
    """Print every setting with its type, default and meaning (Markdown), or as a JSON Schema (--json).

    Example: trade config schema --json > tradingd.schema.json
    """
    from tradingd.config.reference import json_schema, markdown

    answer(json_schema() if as_json else {}, markdown().splitlines(), as_json)


def _problems(config: Path, overrides: list[str]) -> "tuple[tuple[Problem, ...], str | None]":
    """What is wrong, and the digest of the core's part where nothing is."""
    note("loading strategies and opening feeds ...")
    from tradingd.config.load import core_settings, digest, load
    from tradingd.config.problems import ConfigError

    try:
        loaded = load(config, overrides)
    except ConfigError as error:
        return error.problems, None
    return _feed_problems(loaded), digest(core_settings(loaded))


def _feed_problems(config: "Config") -> "tuple[Problem, ...]":
    """What only shows when the files are opened."""
    from tradingd.config.problems import Problem
    from tradingd.feeds.build import build_feed
    from tradingd.feeds.contract import FeedConfigError

    problems = []
    for source, feed in enumerate(config.feeds):
        try:
            build_feed(feed, source, config.instruments, Path())
        except FeedConfigError as error:
            problems.append(Problem(f"feeds[{source}]", str(error)))
    return tuple(problems)
