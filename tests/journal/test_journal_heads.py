"""heads.jsonl after crashes and failed writes."""

import os
from pathlib import Path

import pytest

from tradingd.journal.errors import JournalDamaged
from tradingd.journal.heads import NAME, HeadsFile


def test_lines_are_appended(tmp_path: Path) -> None:
    for line in (b"one\n", b"two\n"):
        file = HeadsFile.open(tmp_path)
        file.append(line)
        file.append(line)
        file.close()
    assert (tmp_path / NAME).read_bytes() == b"one\none\ntwo\ntwo\n"


@pytest.mark.parametrize("kept", [b"", b"one\n", b"one\n" * 50_000])
@pytest.mark.parametrize("torn", [b"", b"{", b'{"format":1,"gen', bytes(500)])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, kept: bytes, torn: bytes) -> None:
    (tmp_path / NAME).write_bytes(kept + torn)
    file = HeadsFile.open(tmp_path)
    file.append(b"two\n")
    file.close()
    assert (tmp_path / NAME).read_bytes() == kept + b"two\n"


def test_what_a_failed_write_left_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = HeadsFile.open(tmp_path)
    file.append(b"one\n")
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, line, at: pwrite(fd, line[:3], at))
    with pytest.raises(OSError, match="only 3 of 9 bytes"):
        file.append(b"too long\n")
    monkeypatch.undo()
    file.append(b"two\n")
    file.close()
    assert (tmp_path / NAME).read_bytes() == b"one\ntwo\n"


def test_what_is_no_file_of_lines_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(bytes(100_000))
    with pytest.raises(JournalDamaged, match="does not end in signed heads"):
        HeadsFile.open(tmp_path)
    assert (tmp_path / NAME).read_bytes() == bytes(100_000)
