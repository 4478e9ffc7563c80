"""Exports hold every row in its order, and what proves them."""

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from audited_day import play_day

from tradingd.audit import export as module
from tradingd.audit.errors import AuditError
from tradingd.audit.export import Export, Form, export
from tradingd.audit.points import first_seq_at, seq_at, time_text
from tradingd.journal.errors import JournalDamaged
from tradingd.journal.reader import JournalReader
from tradingd.journal.schema import TABLES
from tradingd.journal.settings import JournalSettings
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal

READ: dict[Form, Any] = {Form.PARQUET: pl.read_parquet, Form.ARROW: pl.read_ipc}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed journal of several segments."""
    return play_day(tmp_path_factory.mktemp("day"), "journal.roll_rows=4000")


def exported(day: Path, out: Path, form: Form, first: str | None = None, last: str | None = None) -> Export:
    with JournalReader.open(day) as reader:
        return export(reader, out, form, first_seq_at(reader, first), seq_at(reader, last), JournalSettings())


def rows_of(done: Export, out: Path, form: Form, table: str) -> pl.DataFrame:
    return pl.concat([READ[form](out / file.name) for file in done.files if file.name.split(".")[1] == table])


@pytest.mark.parametrize("form", [Form.PARQUET, Form.ARROW])
def test_every_row_is_there_in_its_order(day: Path, tmp_path: Path, form: Form) -> None:
    done = exported(day, tmp_path / "out", form)
    assert len(done.files) == len(TABLES) * verify(day).segments > len(TABLES)
    with JournalReader.open(day) as reader:
        for table in TABLES:
            order = "commit_no" if table == "commits" else "seq, n" if table in ("bars", "facts") else "seq"
            expected = reader.sql(f"SELECT * FROM {table} ORDER BY {order}")
            assert rows_of(done, tmp_path / "out", form, table).equals(expected), table


def test_csv_has_bytes_in_hex(day: Path, tmp_path: Path) -> None:
    done = exported(day, tmp_path / "out", Form.CSV)
    names = [str(tmp_path / "out" / file.name) for file in done.files if ".commits." in file.name]
    found = duckdb.sql(f"SELECT max(commit_no), arg_max(digest, commit_no) FROM read_csv({names})").fetchall()[0]
    end = verify(day).end
    assert found == (end.commit_no, end.digest.hex())


def test_sums_are_what_sha256sum_checks(day: Path, tmp_path: Path) -> None:
    done = exported(day, tmp_path / "out", Form.PARQUET)
    text = (tmp_path / "out" / "SHA256SUMS").read_text()
    for file in done.files:
        content = (tmp_path / "out" / file.name).read_bytes()
        assert f"{hashlib.sha256(content).hexdigest()}  {file.name}\n" in text
        assert file.bytes == len(content)
    assert text.endswith(f"# digest after {verify(day).end.digest.hex()}\n")
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "out", check=True)


def test_a_range_is_whole_commits_with_the_digests_around_them(day: Path, tmp_path: Path) -> None:
    with JournalReader.open(day) as reader:
        commits = reader.sql("SELECT * FROM commits ORDER BY commit_no")
    before, first, last = (commits.row(n, named=True) for n in (1, 2, len(commits) - 2))
    done = exported(day, tmp_path / "out", Form.PARQUET, str(first["last_seq"]), str(last["first_seq"]))
    assert (done.first_commit, done.last_commit) == (first["commit_no"], last["commit_no"])
    assert (done.digest_before, done.digest) == (before["digest"].hex(), last["digest"].hex())
    ticks = rows_of(done, tmp_path / "out", Form.PARQUET, "ticks")
    assert ticks["seq"].is_between(first["first_seq"], last["last_seq"]).all()


def test_a_range_by_time(day: Path) -> None:
    with JournalReader.open(day) as reader:
        received = reader.sql("SELECT ts_received_ns FROM ticks WHERE seq = 2000").item()
        first, last = (point(reader, time_text(received)) for point in (first_seq_at, seq_at))
        assert first <= 2000 <= last
        around = reader.sql(f"SELECT ts_received_ns FROM ticks WHERE seq IN ({first - 1}, {last + 1}) ORDER BY seq")
        assert around.item(0, 0) < received < around.item(1, 0)
        with pytest.raises(AuditError, match="outside of what can be read"):
            first_seq_at(reader, "2030-01-01T00:00")


def test_a_journal_in_use_is_exported_up_to_its_head(day: Path, tmp_path: Path) -> None:
    shutil.copytree(day, tmp_path / "j")
    journal = Journal.open(tmp_path / "j")
    with JournalReader.open(tmp_path / "j", with_live=True) as reader:
        done = export(reader, tmp_path / "out", Form.PARQUET, 1, reader.last_seq, JournalSettings())
    assert (done.live, done.digest) == (True, journal.head.digest.hex())
    journal.close()


def test_what_makes_no_sense_is_refused(day: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(AuditError, match="is not empty"):
        exported(day, tmp_path, Form.CSV)
    with pytest.raises(AuditError, match="seq 9 comes after seq 3"):
        exported(day, tmp_path / "out", Form.CSV, "9", "3")
    assert not (tmp_path / "out").exists()


def test_what_was_changed_is_not_exported(day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise JournalDamaged("damaged: a digest")

    monkeypatch.setattr(module, "check_chain", broken)
    with pytest.raises(JournalDamaged):
        exported(day, tmp_path / "out", Form.PARQUET)
    assert list((tmp_path / "out").iterdir()) == []
