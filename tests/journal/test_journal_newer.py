"""What a newer version wrote is one line and no traceback."""

import shutil
from pathlib import Path

import duckdb
import pytest

from tradingd.events import Signal
from tradingd.journal.errors import JournalDamaged
from tradingd.journal.folder import Paths
from tradingd.journal.reader import JournalReader


def changed(journal: Path, folder: Path, old: str, new: str) -> Path:
    shutil.copytree(journal, folder)
    with duckdb.connect(Paths(folder).segment(2)) as connection:
        connection.execute(f"UPDATE facts SET payload = replace(payload, '{old}', '{new}')")
    return folder


@pytest.mark.parametrize(
    ("old", "new"), [('"type":"Signal"', '"type":"Telepathy"'), ('"strategy":"sma"', '"strategy":{"name":"sma"}')]
)
def test_an_event_that_is_not_known_stops_reading_with_where_it_is(
    two_segments: Path, tmp_path: Path, old: str, new: str
) -> None:
    folder = changed(two_segments, tmp_path / "j", old, new)
    with JournalReader.open(folder) as reader:
        commits = reader.commits()
        assert [next(commits).first_seq for _ in range(3)] == [1, 14, 27]
        with pytest.raises(JournalDamaged, match=r"000002.*, seq 40 to 52: an event that this version can not read"):
            next(commits)
        with pytest.raises(JournalDamaged, match=r"000002.*, seq 78: an event that .* the version that wrote it"):
            list(reader.events(Signal))
