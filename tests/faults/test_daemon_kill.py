"""The daemon dies at every named point; started again until the day is done, it has traded the same day.

`campaign_kill.py` kills at any moment and in any order; here every list of points is surely passed.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemons import DAY, SIGNED, Child, check_day, daemons, log_of, undisturbed_digest
from small_day import journal_of, write_config

from tradingd.journal.signing import make_key
from tradingd.journal.verify import verify
from tradingd.journal.witness import evidence_of

ANCHORED = """
[[journal.anchors]]
kind = "file"
name = "archive"
path = "archive.jsonl"
"""
# Each list is one day: killed at one point after the other, then left alone.
DAYS = {
    "first start": [
        "recovery.after-identity", "recovery.after-new-head", "segment.before-rename", "segment.after-rename",
        "recovery.before-head", "recovery.after-head", "append.before-commit", "append.after-commit", "perform.before",
    ],
    "appending": ["append.before-commit:4", "append.after-commit:4", "append.after-head:4", "perform.before:4"],
    "rolling over": [
        "roll.before", "segment.before-rename", "segment.after-rename", "roll.before-head",
        "roll.after-head",
    ],
    "sealing": [
        "seal.before-compact", "seal.after-compact", "segment.before-rename", "seal.before-manifest",
        "seal.after-manifest",
    ],
    "snapshots": ["snapshot.before", "snapshot.after"],
    "recovering, twice in a row": [
        "append.after-commit:12", "recovery.before-head", "recovery.before-head", "recovery.after-head",
        "recovery.after-head", "append.before-commit", "append.before-commit", "perform.before", "perform.before",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    with daemons(tmp_path_factory.mktemp("child")) as child:
        yield child


@pytest.fixture(scope="module")
def undisturbed(child: Child, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the state after a day without a fault."""
    return undisturbed_digest(child, write_config(tmp_path_factory.mktemp("undisturbed"), DAY))


@pytest.mark.parametrize("day", DAYS)
def test_killed_at_points(child: Child, undisturbed: str, tmp_path: Path, day: str) -> None:
    config = write_config(tmp_path, DAY)
    for point in DAYS[day]:
        assert child.play(config, point) == -signal.SIGKILL, (point, log_of(config))
    assert child.play(config) == 0, log_of(config)
    check_day(config, undisturbed)


def test_killed_while_heads_are_signed(child: Child, tmp_path: Path) -> None:
    """What came to the anchor is in the journal, signed and acknowledged, wherever the daemon died."""
    public_key = make_key(tmp_path / "signing.pem")
    config = write_config(tmp_path, DAY + SIGNED + ANCHORED)
    for point in ("heads.before-write", "heads.after-write", "heads.before-write:3", "heads.after-write:3"):
        assert child.play(config, point) == -signal.SIGKILL, (point, log_of(config))
    assert child.play(config) == 0, log_of(config)
    report = verify(journal_of(config), evidence=evidence_of([str(tmp_path / "archive.jsonl")], [public_key]))
    assert report.fault is None
    assert report.anchored > 0
