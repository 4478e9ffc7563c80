"""Deterministic commits, and a journal on disk made of them."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradingd.commit import Commit
from tradingd.journal.settings import JournalSettings
from tradingd.journal.writer import Journal

CHILD = runpy.run_path(str(Path(__file__).parent.parent / "faults" / "journal_child.py"), run_name="journal_child")


@pytest.fixture(scope="session")
def settings() -> JournalSettings:
    return JournalSettings(roll_daily=False, memory_mb=256)


@pytest.fixture(scope="session")
def commit_at() -> Callable[[int], Commit]:
    """The commit of a number: 12 ticks of two sources, an input, two facts and a bar."""
    made: Callable[[int], Commit] = CHILD["commit_at"]
    return made


@pytest.fixture(scope="session")
def contents() -> Callable[[Commit], tuple[Any, ...]]:
    """Every value of a commit, comparable whatever the borders of its batches."""
    compared: Callable[[Commit], tuple[Any, ...]] = CHILD["contents"]
    return compared


@pytest.fixture(scope="session")
def two_segments(
    tmp_path_factory: pytest.TempPathFactory, settings: JournalSettings, commit_at: Callable[[int], Commit]
) -> Path:
    """A closed journal of six commits, the first three in a sealed segment. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("made") / "journal"
    journal = Journal.open(folder, settings)
    for number in range(1, 7):
        journal.append(commit_at(number))
        if number == 3:
            journal.roll()
            journal.seal()
    journal.close()
    return folder
