"""A run that signs its heads and takes them elsewhere, and what it does where nobody takes them."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
from loopback import Loopback, loopback
from small_day import CONFIG, ROWS, bodies_of, journal_of, play, play_config, prepared, rows_of, write_config

from tradingd.commit import Commit
from tradingd.daemon import anchoring
from tradingd.daemon.anchoring import Newest
from tradingd.daemon.daemon import Daemon
from tradingd.events import AnchorState, AnchorStatus, RunStopped
from tradingd.journal.errors import SigningError
from tradingd.journal.head import Head
from tradingd.journal.heads import NAME, HeadsFile
from tradingd.journal.reader import JournalReader
from tradingd.journal.signing import SignedHead, decode_line, make_key, signature_fits
from tradingd.journal.verify import verify
from tradingd.journal.witness import evidence_of

SIGNING = """
[journal.signing]
key_file = "signing.pem"
every_commits = 5
"""
ANCHORS = """
[[journal.anchors]]
kind = "file"
name = "archive"
path = "archive/heads.jsonl"

[[journal.anchors]]
kind = "command"
name = "program"
argv = ["sh", "-c", "cat >> '{folder}/program.jsonl'"]
timeout_s = 60

[[journal.anchors]]
kind = "http"
name = "server"
url = "{url}"
timeout_s = 60
"""


def signing_config(folder: Path, anchors: str = "") -> Path:
    make_key(folder / "signing.pem")
    return write_config(folder, CONFIG + SIGNING + anchors)


def anchored_config(folder: Path, server: Loopback) -> Path:
    (folder / "archive").mkdir()
    return signing_config(folder, ANCHORS.format(folder=folder, url=server.url))


def heads_in(path: Path) -> list[SignedHead]:
    return [decode_line(line) for line in path.read_bytes().splitlines()]


def status_of(folder: Path) -> list[tuple[str, AnchorState]]:
    return [(body.anchor, body.state) for body in bodies_of(folder, AnchorStatus) if isinstance(body, AnchorStatus)]


def test_heads_are_signed_from_the_start_to_the_clean_stop_and_at_each_rollover(tmp_path: Path) -> None:
    config = signing_config(tmp_path)
    play_config(config, "journal.roll_rows=1500")
    folder = journal_of(config)
    signed = heads_in(folder / NAME)
    with JournalReader.open(folder) as reader:
        head, segments = reader.head, len(reader.segments())
        commits = dict(reader.sql("SELECT commit_no, hex(digest) FROM commits").rows())
    assert all(signature_fits(each) for each in signed)
    assert all(commits[each.commit_no].lower() == each.digest for each in signed)
    assert [each.commit_no for each in signed] == sorted(each.commit_no for each in signed)
    assert (signed[-1].commit_no, signed[-1].last_seq, signed[-1].digest) == (
        head.commit_no, head.last_seq, head.digest.hex(),
    )  # fmt: skip
    assert segments > 2
    # the key is in no file of the journal
    secret = [line for line in (tmp_path / "signing.pem").read_bytes().splitlines() if b"-----" not in line]
    assert not any(line in file.read_bytes() for line in secret for file in folder.rglob("*") if file.is_file())


def test_without_a_key_nothing_is_signed(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    play_config(config)
    assert not (journal_of(config) / NAME).exists()
    assert status_of(journal_of(config)) == []


def test_every_anchor_gets_signed_heads_up_to_the_last_commit(tmp_path: Path) -> None:
    with loopback() as server:
        config = anchored_config(tmp_path, server)
        play_config(config)
    folder = journal_of(config)
    kept = heads_in(folder / NAME)
    anchored = {
        "archive": heads_in(tmp_path / "archive" / "heads.jsonl"),
        "program": heads_in(tmp_path / "program.jsonl"),
        "server": [decode_line(body) for body in server.bodies],
    }
    for found in anchored.values():
        assert set(found) <= set(kept)
        assert found[-1] == kept[-1]
        assert all(one.commit_no <= other.commit_no for one, other in pairwise(found))
    # and the journal says so once for each
    assert sorted(status_of(folder)) == [(name, AnchorState.WORKING) for name in sorted([*anchored, NAME])]


def test_an_anchor_that_answers_only_after_the_day_holds_nothing_up(tmp_path: Path) -> None:
    with loopback() as server:
        server.answering.clear()
        config = anchored_config(tmp_path, server)

        def published(commit: Commit) -> None:
            if any(isinstance(event.body, RunStopped) for event in commit.events):
                server.answering.set()  # when the whole day is durable

        asyncio.run(Daemon(prepared(config), until_done=True, published=published).run())
    assert rows_of(journal_of(config)) == ROWS
    assert server.asked.is_set()
    # the other anchors had their heads meanwhile, this one got the newest and none of those that it was too slow for
    assert ("archive", AnchorState.WORKING) in status_of(journal_of(config))
    assert "server" not in dict(status_of(journal_of(config)))
    last = decode_line(server.bodies[-1])
    assert last == heads_in(journal_of(config) / NAME)[-1]
    assert len(server.bodies) <= 2


def test_a_failure_and_its_end_are_events_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(anchoring, "RETRY_S_MIN", 0.01)
    monkeypatch.setattr(anchoring, "RETRY_S_MAX", 0.02)
    caplog.set_level("WARNING", logger="tradingd")  # whatever a test before has set
    anchor = '[[journal.anchors]]\nkind = "file"\nname = "archive"\npath = "archive/heads.jsonl"\n'
    config = signing_config(tmp_path, anchor)

    async def mount(daemon: Daemon) -> None:
        while daemon.counts["AnchorStatus"] < 2:  # heads.jsonl works, the archive does not
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert daemon.counts["AnchorStatus"] == 2
        (tmp_path / "archive").mkdir()
        while daemon.counts["AnchorStatus"] < 3:
            await asyncio.sleep(0.01)
        daemon.stop("seen enough")

    play(prepared(config, 'feeds.market.pace="recorded"'), mount, until_done=False)
    said = [body for body in bodies_of(journal_of(config), AnchorStatus) if isinstance(body, AnchorStatus)]
    assert [(body.anchor, body.state) for body in said] == [
        (NAME, AnchorState.WORKING),
        ("archive", AnchorState.FAILING),
        ("archive", AnchorState.WORKING),
    ]
    assert said[1].text == "No such file or directory"
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["anchor archive: failing, No such file or directory"]
    assert heads_in(tmp_path / "archive" / "heads.jsonl")[-1] == heads_in(journal_of(config) / NAME)[-1]


def test_a_disk_that_takes_no_signed_head_is_told_and_trading_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: HeadsFile, line: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(HeadsFile, "append", full)
    with loopback() as server:
        config = anchored_config(tmp_path, server)
        play_config(config)
    assert rows_of(journal_of(config)) == ROWS
    assert status_of(journal_of(config)) == [(NAME, AnchorState.FAILING)]
    assert server.bodies == []  # what is not kept in the journal goes nowhere


def test_a_run_goes_on_with_the_heads_of_the_one_before(tmp_path: Path) -> None:
    config = signing_config(tmp_path)
    play_config(config)
    path = journal_of(config) / NAME
    before = path.read_bytes()
    path.write_bytes(before + before[:100])  # as a crash leaves it
    play_config(config)
    assert path.read_bytes().startswith(before)
    assert [head.epoch for head in heads_in(path)][-1] == 2


def test_a_key_that_can_not_be_used_is_said_before_there_is_a_journal(tmp_path: Path) -> None:
    config = signing_config(tmp_path)
    (tmp_path / "signing.pem").chmod(0o644)
    with pytest.raises(SigningError, match="chmod 600"):
        prepared(config)
    assert not journal_of(config).exists()


@pytest.mark.parametrize(
    ("asked", "head", "is_due"),
    [(None, (1, 1), True), ((1, 1), (1, 5), False), ((1, 1), (1, 6), True), ((1, 6), (2, 6), True)],
)
def test_a_head_is_due(asked: tuple[int, int] | None, head: tuple[int, int], is_due: bool) -> None:
    """By segment and commit: at the start of a run, every five commits, and when a segment has ended."""
    before = Head("ABCDEFGH", 1, *asked, last_seq=1, digest=b"") if asked else None
    assert anchoring._is_due(before, Head("ABCDEFGH", 1, *head, last_seq=1, digest=b""), 5) is is_due


def test_there_is_room_for_one() -> None:
    async def run() -> None:
        newest: Newest[int] = Newest()
        newest.put(1)
        newest.put(2)
        assert (await newest.take(), newest.take_if_there()) == (2, None)

    asyncio.run(run())


def test_a_day_verifies_against_each_of_its_anchors(tmp_path: Path) -> None:
    with loopback() as server:
        config = anchored_config(tmp_path, server)
        play_config(config)
    (tmp_path / "server.jsonl").write_bytes(b"".join(server.bodies))
    anchors = [str(tmp_path / name) for name in ("archive/heads.jsonl", "program.jsonl", "server.jsonl")]
    public_key = (tmp_path / "signing.pem.pub").read_text().strip()
    report = verify(journal_of(config), evidence=evidence_of(anchors, [public_key]))
    assert report.fault is None
    assert report.notes == []
    assert report.anchored >= 3
