"""What the two programs share: how they start, and how whatever goes wrong becomes one line and an exit code."""

import atexit
import gc
import sys
from importlib import metadata
from typing import Annotated

import typer

DONE, NO, USAGE, OUTSIDE = 0, 1, 2, 3
YOUNG_OBJECTS_MAX = 100_000  # before they are looked at: commands are short, and modules, most of what they make, stay
EXIT_CODES = "Exit codes: 0 done, 1 the answer is no, 2 wrong usage or config, 3 something outside failed."

# Exit codes by class, named and not imported: an error whose module was never loaded was never raised.
CODE_BY_ERROR = {
    "tradingd.api.client:DaemonUnreachableError": OUTSIDE,
    "tradingd.api.client:RequestFailedError": NO,
    "tradingd.api.sockets:SocketPathError": OUTSIDE,
    "tradingd.audit.errors:AuditError": USAGE,
    "tradingd.backtesting.errors:BacktestError": USAGE,
    "tradingd.feeds.bars.table:BarsError": USAGE,
    "tradingd.catalogue.errors:CatalogueError": USAGE,
    "tradingd.catalogue.errors:DataDamagedError": OUTSIDE,
    "tradingd.catalogue.errors:DataRefusedError": NO,
    "tradingd.config.problems:ConfigError": USAGE,
    "tradingd.daemon.recovery:RecoveryError": OUTSIDE,
    "tradingd.feeds.contract:FeedConfigError": USAGE,
    "tradingd.journal.errors:JournalError": OUTSIDE,
    "tradingd.journal.errors:SigningError": USAGE,
    "tradingd.journal.sql:SqlError": USAGE,
    "tradingd.kernels.compile:CacheUnwritableError": OUTSIDE,
    "tradingd.strategies.contract:StrategyError": USAGE,
    f"{__package__}.frame:UsageError": USAGE,
    "builtins:OSError": OUTSIDE,
}


class UsageError(Exception):
    """The command line asks for something that makes no sense; the message says what to write instead."""


def application(name: str, summary: str) -> typer.Typer:
    """A program that prints plain help, knows its version and leaves errors to `run`."""
    app = typer.Typer(
        name=name,
        help=f"{summary}\n\n{EXIT_CODES}",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    return app


def group(summary: str) -> typer.Typer:
    """A command that has commands of its own."""
    return typer.Typer(help=summary, no_args_is_help=True, rich_markup_mode=None)


def run(app: typer.Typer) -> None:
    """Runs a program to its exit code; an error that nobody foresaw is a bug and keeps its traceback."""
    gc.set_threshold(YOUNG_OBJECTS_MAX)
    atexit.register(gc.freeze)  # or, before it ends, the interpreter looks through all that was loaded
    try:
        app()
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        for line in filter(str.strip, explained(error).splitlines()):
            print(f"error: {line}", file=sys.stderr)
        sys.exit(code)


def exit_code(error: BaseException) -> int | None:
    """None for an error that is not among those that are foreseen."""
    for kind in type(error).__mro__:
        code = CODE_BY_ERROR.get(f"{kind.__module__}:{kind.__qualname__}")
        if code is not None:
            return code
    return None


def explained(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"tradingd {metadata.version('tradingd')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The options before the command; the summary of the program is set where it is made."""
