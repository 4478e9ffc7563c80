"""A journal to be damaged, with a file of every kind, all of it acknowledged; and copies of it that cost little."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from journal_child import SETTINGS, commit_at, contents

from tradingd.commit import Commit
from tradingd.events import Event, SnapshotTaken
from tradingd.journal.folder import read_identity
from tradingd.journal.heads import NAME, HeadsFile
from tradingd.journal.signing import Signer, encode_line
from tradingd.journal.snapshots import digest_of
from tradingd.journal.writer import Journal

COMMITS = 5  # three in a sealed segment, two in the live one
SNAPSHOT_AT = 2
SNAPSHOT = b"the state after two commits, " * 40
KINDS = {
    "journal.json": "journal.json",
    "HEAD": "HEAD",
    "signed heads": NAME,
    "sealed segment": "segments/000001.duckdb",
    "manifest": "segments/*.manifest.json",
    "live file": "segments/*.live.duckdb",
    "log": "segments/*.wal",
    "snapshot": "snapshots/*.snap",
}
NEVER_WRITTEN = (".manifest.json", ".snap", "000001.duckdb")


def commit_made(number: int) -> Commit:
    """As `commit_at`; the one after the snapshot tells of it."""
    commit = commit_at(number)
    if number != SNAPSHOT_AT + 1:
        return commit
    at_seq = commit.first_seq - 1
    body = SnapshotTaken(at_seq=at_seq, file=f"{at_seq:012d}.snap", digest=digest_of(SNAPSHOT))
    return replace(commit, events=(*commit.events, Event(commit.last_seq, 4, number, number, "daemon", body)))


def expected(commits: int) -> list[tuple[object, ...]]:
    return [contents(commit_made(number)) for number in range(1, commits + 1)]


def make(folder: Path) -> str:
    """Its public key."""
    signer = Signer(Ed25519PrivateKey.generate())
    journal = Journal.open(folder, SETTINGS)
    signed, identity = HeadsFile.open(folder), read_identity(journal.paths)
    for number in range(1, COMMITS + 1):
        head = journal.append(commit_made(number))
        signed.append(encode_line(signer.sign(identity, head)))
        if number == SNAPSHOT_AT:
            journal.write_snapshot(head.last_seq, SNAPSHOT)
        if journal.should_roll():
            journal.roll()
            journal.seal()
    signed.close()
    journal.close()
    return signer.public_key


def file_of(folder: Path, kind: str) -> Path:
    """By name, below the folder."""
    (found,) = folder.glob(KINDS[kind])
    return found.relative_to(folder)


def copy_of(made: Path, folder: Path) -> None:
    """What is never written again is shared."""
    for path in _all_files(made):
        target = folder / path.relative_to(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.name.endswith(NEVER_WRITTEN):
            os.link(path, target)
        else:
            shutil.copy2(path, target)


def damage(folder: Path, file: Path, content: bytes) -> None:
    """Another file under the name, for the old one may be shared."""
    (folder / file).unlink()
    (folder / file).write_bytes(content)


def _all_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
