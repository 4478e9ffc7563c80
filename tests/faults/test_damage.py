"""What the campaigns of flips and truncations found, and what they rest on."""

import shutil
import sys
from contextlib import closing, suppress
from pathlib import Path

import duckdb
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from damage.made import COMMITS, SETTINGS, copy_of, damage, file_of, make
from damage.trial import refusal
from damage.wal import size_fields

from tradingd.journal.errors import JournalDamaged
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "j"
    make(folder)
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    copy_of(made, tmp_path / "j")
    return tmp_path / "j"


def flip(folder: Path, kind: str, at: int, mask: int = 1) -> None:
    file = file_of(folder, kind)
    content = bytearray((folder / file).read_bytes())
    content[at] ^= mask
    damage(folder, file, bytes(content))


def test_a_size_that_flipped_in_the_log_loses_commits_in_duckdb_and_head_notices(made: Path, tmp_path: Path) -> None:
    silent = 0
    for at in size_fields((made / file_of(made, "log")).read_bytes()):
        folder = tmp_path / str(at)
        copy_of(made, folder)
        flip(folder, "log", at, 1 << 6)
        shutil.copytree(folder / "segments", tmp_path / f"raw{at}")
        with suppress(duckdb.Error), closing(duckdb.connect(tmp_path / f"raw{at}" / "000002.live.duckdb")) as raw:
            silent += raw.sql("SELECT max(commit_no) FROM commits").fetchall() != [(COMMITS,)]
        why = refusal(folder)
        assert why is not None
        assert "trails HEAD" in why or "can not be opened" in why
    assert silent > 0  # this is why HEAD is a file of its own


def test_a_block_of_the_live_file_that_can_not_be_read_is_damage(copy: Path) -> None:
    size = (copy / file_of(copy, "live file")).stat().st_size
    flip(copy, "live file", size - 1000)
    with pytest.raises(JournalDamaged, match=r"000002\.live\.duckdb can not be read \(.*checksum"):
        Journal.open(copy, SETTINGS)
    assert "file: expected a readable segment" in str(verify(copy).fault)


def test_an_identity_that_is_no_text_is_damage(copy: Path) -> None:
    flip(copy, "journal.json", 2, 0x80)
    for call in (verify, JournalReader.open, Journal.open):
        with pytest.raises(JournalDamaged, match=r"journal\.json can not be read"):
            call(copy)


@pytest.mark.parametrize(("was", "is_now"), [('"format": 1', '"format": 0'), ('"id": "', '"id": "a')])
def test_an_identity_that_can_not_be_is_damage(copy: Path, was: str, is_now: str) -> None:
    text = (copy / "journal.json").read_text()
    assert was in text
    damage(copy, Path("journal.json"), text.replace(was, is_now).encode())
    with pytest.raises(JournalDamaged, match=r"journal\.json can not be read"):
        Journal.open(copy, SETTINGS)


def test_a_manifest_that_is_no_text_is_a_fault(copy: Path) -> None:
    flip(copy, "manifest", 2, 0x80)
    assert "manifest.json can not be read" in str(verify(copy).fault)


def test_a_lock_that_is_no_text_says_nothing(copy: Path) -> None:
    (copy / "LOCK").write_bytes(b"\xff" * 512)
    with JournalReader.open(copy) as reader:
        was = reader.id
    journal = Journal.open(copy, SETTINGS)
    assert journal.id != was  # it may be a copy
    journal.close()
