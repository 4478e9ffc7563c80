"""A damaged journal as an auditor and the next start find it: told, or without any effect."""

import shutil
from pathlib import Path

from damage.made import COMMITS, commit_made, copy_of, damage, expected
from journal_child import SETTINGS, contents

from tradingd.journal.errors import JournalError
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal


def trial(made: Path, folder: Path, file: Path, content: bytes) -> str:
    """What came out. Raises AssertionError where damage is silent, and what else nobody may see."""
    copy_of(made, folder)
    damage(folder, file, content)
    told = is_told(folder)
    if (why := refusal(folder)) is not None:
        assert _content(folder / file) == content, "a journal that was refused is not as it was"
        found = "refused at the start" + (", by HEAD" if "trails HEAD" in why else "")
    elif is_told(folder):
        found = "told by verify"
    else:
        assert _read(folder) == expected(COMMITS + 1), "verify finds nothing, and the commits are not those"
        found = "told by verify, healed by the next start" if told else "without effect"
    shutil.rmtree(folder)
    return found


def _content(path: Path) -> bytes:
    """DuckDB removes an empty log."""
    return path.read_bytes() if path.exists() else b""


def is_told(folder: Path) -> bool:
    """By verify, as a fault or as a refusal."""
    try:
        return verify(folder, SETTINGS).fault is not None
    except JournalError:
        return True


def _read(folder: Path) -> list[tuple[object, ...]]:
    with JournalReader.open(folder, SETTINGS) as reader:
        return [contents(commit) for commit in reader.commits()]


def refusal(folder: Path) -> str | None:
    """Of the next start; None where it takes the journal and appends after all that was there."""
    try:
        journal = Journal.open(folder, SETTINGS)
    except JournalError as error:
        return str(error)
    assert journal.head.commit_no == COMMITS, f"{journal.head.commit_no} commits of {COMMITS} after the start"
    journal.append(commit_made(COMMITS + 1))
    journal.close()
    return None
