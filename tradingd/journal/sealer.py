"""Seals one segment in a process of its own, so that compaction and read-back take nothing from who trades.

    python -m tradingd.journal.sealer FOLDER NUMBER SETTINGS

Standard input is a pipe from the journal's writer and ends with it; so does this process. It was given the writer's
lock to hold, so that nobody can recover the journal while it lives.
"""

import os
import sys
import threading
from pathlib import Path

import msgspec

from tradingd.journal import segments
from tradingd.journal.errors import JournalError
from tradingd.journal.folder import Paths
from tradingd.journal.settings import JournalSettings

NICENESS = 10


def command(paths: Paths, number: int, settings: JournalSettings) -> list[str]:
    """What starts the process; safe in a working folder that holds a `tradingd` of its own."""
    return [sys.executable, "-P", "-m", __name__, str(paths.folder.absolute()), str(number), encoded(settings)]


def encoded(settings: JournalSettings) -> str:
    known = {name: getattr(settings, name) for name in JournalSettings.__struct_fields__}  # a config's knows more
    return msgspec.json.encode(known).decode()


def end_with_writer() -> None:
    """From now on this process ends where standard input does."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    folder, number, settings = sys.argv[1:]
    os.nice(NICENESS)
    end_with_writer()
    try:
        segments.seal(Paths(Path(folder)), int(number), msgspec.json.decode(settings, type=JournalSettings))
    except JournalError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
