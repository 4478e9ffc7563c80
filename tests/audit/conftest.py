"""One day, played once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from audited_day import play_day

from tradingd.journal.reader import JournalReader


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed journal. To be copied, not changed."""
    return play_day(tmp_path_factory.mktemp("day"))


@pytest.fixture
def reader(day: Path) -> Iterator[JournalReader]:
    with JournalReader.open(day) as reader:
        yield reader
