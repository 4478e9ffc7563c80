"""The commands over a journal, as a shell runs them: lines, objects and exit codes."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from audited_day import edited, play_day, write_day
from small_day import held, journal_of, play, prepared
from tradingd_cli import demo, live

from tradingd.api.messages import AccountView, FeedView, Status
from tradingd.audit.newest import Line
from tradingd.audit.tally import Summary
from tradingd.daemon.daemon import Daemon
from tradingd.events import FeedState
from tradingd.journal.reader import JournalReader
from tradingd.journal.writer import Journal

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed journal. To be copied, not changed."""
    return play_day(tmp_path_factory.mktemp("day"))


@pytest.fixture(scope="module")
def forged(day: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in which the first fill was made cheaper."""
    seq, _, n = first(day, "OrderFilled").partition(".")
    cheaper = "regexp_replace(payload, '\"fee\":[0-9]+', '\"fee\":1')"
    statement = f"UPDATE facts SET payload = {cheaper} WHERE seq = {seq} AND n = {n}"
    return edited(day, tmp_path_factory.mktemp("forged") / "j", statement)


def first(day: Path, kind: str) -> str:
    with JournalReader.open(day) as reader:
        seq, n = reader.sql(f"SELECT seq, n FROM facts WHERE type = '{kind}' ORDER BY seq, n LIMIT 1").row(0)
    return f"{seq}.{n}"


def object_of(ran: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran.out)
    return found


# --- verify and replay ------------------------------------------------------------------------------------------------


def test_verify_says_as_it_was_written(day: Path, run: Run) -> None:
    ran = run("trade", "verify", day)
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"{day}: as it was written")
    found = object_of(run("trade", "verify", day, "--json"))
    assert (found["ok"], found["fault"], found["segments"]) == (True, None, 1)
    assert {"journal", "journal_id", "rows", "last_commit", "last_seq", "digest", "notes"} <= set(found)


def test_verify_names_the_fault_and_is_1(forged: Path, run: Run) -> None:
    ran = run("trade", "verify", forged)
    assert ran.code == 1
    assert ran.out.splitlines()[1].startswith("first fault: 000001.live.duckdb, commit ")
    assert object_of(run("trade", "verify", forged, "--json"))["fault"]["what"] == "digest"


def test_what_is_no_journal_is_3(tmp_path: Path, run: Run) -> None:
    for command in (["verify"], ["replay"], ["state"], ["journal", "ls"], ["bars"]):
        ran = run("trade", *command, tmp_path)
        assert (ran.code, ran.out) == (3, "")
        assert ran.err.startswith(f"error: {tmp_path} is not a journal")


def test_replay_says_what_came_out(day: Path, run: Run) -> None:
    ran = run("trade", "replay", day)
    assert ran.code == 0
    assert "nothing compared" in ran.out
    assert "OrderFilled" in ran.out
    found = object_of(run("trade", "replay", day, "--json"))
    assert found["identical"] is None
    assert {"inputs", "counts", "traded", "refused", "halts", "accounts"} == set(found["summary"])


def test_replay_verify_is_identical(day: Path, run: Run) -> None:
    ran = run("trade", "replay", day, "--verify")
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"{day}: identical, every recorded fact came out again")


def test_replay_verify_names_a_mutated_fill_and_is_1(forged: Path, day: Path, run: Run) -> None:
    ran = run("trade", "replay", forged, "--verify")
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0] == f"{forged}: NOT identical"
    assert lines[1].split() == ["first", "difference", first(day, "OrderFilled")]
    assert [line.split("  ")[0] for line in lines[2:6]] == [
        "recorded", "re-executed", "event before it", "its cause, input",
    ]  # fmt: skip
    assert object_of(run("trade", "replay", forged, "--verify", "--json"))["identical"] is False


def test_what_if_shows_both_sides_and_says_that_both_are_simulated(day: Path, run: Run) -> None:
    ran = run("trade", "replay", day, "--set", "strategies.cross.params.fast=8", "--first", "2")
    assert (ran.code, ran.out.splitlines()[0][:24]) == (0, "both sides are simulated")
    for part in ("recorded config", "what if", "refused by max_notional", "equity in USD", "decisions differ"):
        assert part in ran.out
    found = object_of(run("trade", "replay", day, "--set", "risk.max_notional=1e9", "--json"))
    assert {"baseline", "what_if", "differing", "first", "last_seq", "live"} == set(found)


def test_what_if_with_a_config_file(day: Path, tmp_path: Path, run: Run) -> None:
    config = write_day(tmp_path)
    assert "the decisions are the same" in run("trade", "replay", day, "--what-if", config).out
    ran = run("trade", "replay", day, "--what-if", tmp_path / "none.toml")
    assert (ran.code, "no such file" in ran.err) == (2, True)


def test_verify_and_what_if_are_two_questions(day: Path, run: Run) -> None:
    ran = run("trade", "replay", day, "--verify", "--set", "a=1")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)


# --- state and diff ---------------------------------------------------------------------------------------------------


def test_state_has_its_digest_and_its_parts(day: Path, run: Run) -> None:
    ran = run("trade", "state", day, "--at", "2000")
    assert ran.out.startswith("after seq 2000, core time 2025-03-03T10:0")
    for part in ("state digest ", "accounts", "positions", "signals", "rows taken"):
        assert part in ran.out
    found = object_of(run("trade", "state", day, "--at", "2000", "--json"))
    assert (found["seq"], found["memory"], len(found["digest"])) == (2000, {}, 64)
    assert "market.SIM:ALFA.bid = " in run("trade", "state", day, "--at", "2000", "--memory").out


def test_state_takes_a_time(day: Path, run: Run) -> None:
    found = object_of(run("trade", "state", day, "--at", "2025-03-03T10:03:00Z", "--json"))
    assert "2025-03-03T10:02:5" in found["core_time"]
    ran = run("trade", "state", day, "--at", "noon")
    assert (ran.code, ran.err[:21]) == (2, "error: 'noon' is no t")


def test_diff_of_two_points_is_1_with_paths(day: Path, run: Run) -> None:
    ran = run("trade", "diff", day, "2000", "2025-03-03T10:05:00Z")
    assert (ran.code, "accounts.USD.equity" in ran.out) == (1, True)
    found = object_of(run("trade", "diff", day, "2000", "2400", "--json"))
    assert (found["identical"], found["old"]["seq"], found["new"]["seq"]) == (False, 2000, 2400)
    assert set(found["changes"][0]) == {"path", "old", "new"}
    assert run("trade", "diff", day, "2000", "2000").code == 0


def test_diff_of_two_journals_of_one_market_is_nothing(day: Path, tmp_path: Path, run: Run) -> None:
    again = play_day(tmp_path)
    ran = run("trade", "diff", day, again)
    assert (ran.code, ran.out.splitlines()[-1][:10]) == (0, "identical,")


# --- explain ----------------------------------------------------------------------------------------------------------


def test_explain_walks_from_a_fill_to_the_tick(day: Path, run: Run) -> None:
    at = first(day, "OrderFilled")
    lines = run("trade", "explain", day, at).out.splitlines()
    assert lines[0] == f"{at}: a decision wanted another position"
    assert lines[1].split()[:3] == ["asked", at, "OrderFilled"]
    assert lines[-1].split()[:2] == ["closed", "by"]
    found = object_of(run("trade", "explain", day, at, "--json"))
    assert {"position", "answer", "chain"} == set(found)
    assert {"link", "position", "type", "text"} == set(found["chain"][0])


def test_explain_names_the_rule_of_a_refusal(day: Path, run: Run) -> None:
    ran = run("trade", "explain", day, first(day, "OrderRefused"))
    assert (ran.code, "the rule max_notional refused the order; the limit is 26000" in ran.out) == (0, True)


@pytest.mark.parametrize("position", ["1.77", "999999", "nine"])
def test_explain_of_nothing_is_2(position: str, day: Path, run: Run) -> None:
    ran = run("trade", "explain", day, position)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)


# --- journal ----------------------------------------------------------------------------------------------------------


def test_journal_ls(day: Path, run: Run) -> None:
    ran = run("trade", "journal", "ls", day)
    for part in ("head: epoch 1", "000001.live.duckdb", "4,000 ticks", "run 1  seq 1  fresh", "snapshot"):
        assert part in ran.out
    found = object_of(run("trade", "journal", "ls", day, "--json"))
    assert {"journal_id", "genesis", "created", "live", "head", "segments", "runs", "snapshots"} == set(found)


def test_journal_tail(day: Path, run: Run) -> None:
    lines = run("trade", "journal", "tail", day, "-n", "3").out.splitlines()
    assert [line.split()[2] for line in lines] == ["FeedStatus", "SnapshotTaken", "RunStopped"]
    found = object_of(run("trade", "journal", "tail", day, "--type", "OrderRefused", "--json"))
    assert {event["type"] for event in found["events"]} == {"OrderRefused"}
    assert run("trade", "journal", "tail", day, "--type", "Nothing").code == 2
    assert run("trade", "journal", "tail", day, "--follow", "--json").code == 2


@pytest.fixture
def policies(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the process wanted to be scheduled as; this one goes on with other tests."""
    asked: list[int] = []
    monkeypatch.setattr(os, "sched_setscheduler", lambda pid, policy, param: asked.append(policy))
    return asked


def test_journal_tail_of_a_journal_in_use_points_to_the_daemon(tmp_path: Path, run: Run, policies: list[int]) -> None:
    with closing(Journal.open(tmp_path / "j")):
        ran = run("trade", "journal", "tail", tmp_path / "j")
    assert (ran.code, ran.out) == (0, "")
    assert f"tradingd tail -j {tmp_path / 'j'}" in ran.err


@pytest.mark.parametrize("command", [("verify",), ("journal", "ls"), ("journal", "backup")])
def test_a_command_gives_way_to_a_daemon_alone(
    command: tuple[str, ...], tmp_path: Path, run: Run, policies: list[int]
) -> None:
    arguments = ("trade", *command, tmp_path / "j", *([tmp_path / "copy"] if "backup" in command else []))
    with closing(Journal.open(tmp_path / "j")):
        assert (run(*arguments).code, policies) == (0, [os.SCHED_IDLE])
    assert (run(*arguments).code, policies) == (0, [os.SCHED_IDLE])


def test_journal_tail_follows_until_it_is_interrupted(day: Path) -> None:
    code = (
        "import sys; sys.argv = ['trade', 'journal', 'tail', '-f', {!r}]; from tradingd_cli.trade import main; main()"
    )
    command = [sys.executable, "-c", code.format(str(day))]
    following = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert following.stdout is not None
    assert [following.stdout.readline() for _ in range(20)][-1].split()[2] == "RunStopped"
    time.sleep(0.2)  # it is asleep between two looks now
    following.send_signal(2)
    assert following.communicate(timeout=20) == ("", "")
    assert following.returncode == 0


def test_journal_sql_in_three_formats(day: Path, run: Run) -> None:
    query = "SELECT rule, count(*) AS n FROM order_refused GROUP BY rule"
    count = object_of(run("trade", "journal", "sql", day, query, "--json"))["rows"][0]["n"]
    assert run("trade", "journal", "sql", day, query).out.splitlines()[1].split() == ["max_notional", str(count)]
    assert run("trade", "journal", "sql", day, query, "--format", "csv").out == f"rule,n\nmax_notional,{count}\n"
    assert object_of(run("trade", "journal", "sql", day, query, "--format", "json"))["columns"] == ["rule", "n"]


def test_journal_sql_changes_nothing_and_says_what_is_wrong(day: Path, run: Run) -> None:
    for query in ("DELETE FROM ticks", "SELECT * FROM nowhere", "SELECT * FROM '/etc/passwd'"):
        ran = run("trade", "journal", "sql", day, query)
        assert (ran.code, ran.out, ran.err[:7]) == (2, "", "error: ")
    forever = "SELECT count(*) FROM range(1000000000000)"
    assert "took longer than" in run("trade", "journal", "sql", day, forever, "--timeout", "0.2").err


# --- bars -------------------------------------------------------------------------------------------------------------


def test_bars_of_a_journal(day: Path, tmp_path: Path, run: Run) -> None:
    lines = run("trade", "bars", day, "-i", "SIM:ALFA", "-t", "1m", "--rows", "2").out.splitlines()
    assert lines[0].split()[:4] == ["instrument", "timeframe", "ts_open", "ts_close"]
    assert len(lines) == 4
    found = object_of(run("trade", "bars", day, "-t", "1m", "--rows", "1", "--json"))
    assert (found["bars"] > 1, len(found["rows"]), found["rows"][0]["timeframe"]) == (True, 1, "1m")
    ran = run("trade", "bars", day, "--out", tmp_path / "bars.parquet", "--json")
    assert object_of(ran)["file"] == str(tmp_path / "bars.parquet")


def test_bars_of_a_feed_are_those_of_the_journal(day: Path, tmp_path: Path, run: Run) -> None:
    config = write_day(tmp_path)
    made = object_of(run("trade", "bars", "--config", config, "--feed", "market", "-t", "1m", "--rows", "0", "--json"))
    assert made == object_of(run("trade", "bars", day, "-t", "1m", "--rows", "0", "--json"))


@pytest.mark.parametrize("wrong", [[], ["J", "-c", "x.toml"], ["J", "-i", "SIM:NONE"], ["J", "--from", "noon"]])
def test_wrong_questions_about_bars_are_2(wrong: list[str], day: Path, run: Run) -> None:
    ran = run("trade", "bars", *(day if word == "J" else word for word in wrong))
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert run("trade", "bars", day, "-t", "7m").code == 2


# --- tail of a daemon -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [False, True])
def test_tail_follows_a_daemon_to_its_end(as_json: bool, tmp_path: Path) -> None:
    config = write_day(tmp_path)
    p, feed = held(prepared(config), 10)
    heard: list[str] = []
    code = "import sys; sys.argv = {!r}; from tradingd_cli.tradingd import main; main()"
    argv = ["tradingd", "tail", "-j", str(journal_of(config)), *(["--json"] if as_json else [])]

    async def listen(_daemon: Daemon) -> None:
        command = (sys.executable, "-c", code.format(argv))
        tail = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        while not _daemon._tails._subscriptions:
            await asyncio.sleep(0.01)
        feed.let_go[10].set()
        out, _ = await tail.communicate()
        assert tail.returncode == 0
        heard.extend(out.decode().splitlines())

    play(p, listen)
    with JournalReader.open(journal_of(config)) as reader:
        rows = reader.sql("SELECT seq, n FROM facts ORDER BY seq, n").rows()
    positions = [f"{seq}.{n}" if n else f"{seq}" for seq, n in rows]
    if as_json:
        objects = [json.loads(line) for line in heard]
        told = [f"{each['seq']}.{each['n']}" if each["n"] else f"{each['seq']}" for each in objects]
        assert {each["type"] for each in objects} == {"event"}
    else:
        told = [line.split()[0] for line in heard]
    assert told == positions[-len(told) :]
    assert len(told) > 100


# --- demo -------------------------------------------------------------------------------------------------------------


def test_the_demo_of_a_journal_that_is_there_goes_beside_it(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it prints for people, tests/docs compares with the README."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "journal" / "demo").mkdir(parents=True)
    quick = ("--set", 'feeds.market.pace="max"', "--set", "feeds.market.duration_s=6000")
    ran = run("tradingd", "demo", *quick, "--json")
    found = object_of(ran)
    assert (ran.code, found["ok"], found["verified"], found["identical"]) == (0, True, True, True)
    assert found["journal"] == f"{tmp_path / 'journal' / 'demo'}-2"
    assert found["summary"]["counts"]["OrderFilled"] > 0
    assert "max_quantity" in found["summary"]["refused"]


def test_what_the_demo_says_to_type_can_be_typed(tmp_path: Path) -> None:
    newest = deque([Line(9, 1, "", "OrderFilled", "bought 3 SIM:AAA")])
    lines = demo._next_lines(tmp_path / "my day", Summary(9, {}, {}, {}, [], {}), newest)
    assert lines[1:] == [f"  trade explain '{tmp_path}/my day' 9.1"]


def test_the_screen_of_the_demo_shows_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    status = Status(
        instance="demo", state="halted", pid=1, journal="/j", epoch=1, seq=9, core_time_ns=1_741_012_200_000_000_000,
        halted_by="daily_loss", feeds=(FeedView("market", FeedState.CONNECTED),), counts={"Tick": 1234},
        accounts=(AccountView("USD", "1000", "1001.5"),),
    )  # fmt: skip
    newest = deque([Line(9, 1, "", "OrderFilled", "bought 3 SIM:AAA")])
    Console(width=100).print(live._screen(status, newest))
    shown = capsys.readouterr().out
    for part in ("halted by daily_loss", "2025-03-03T14:30:00Z", "1,234 ticks", "equity 1001.5 USD", "9.1   bought 3"):
        assert part in shown


def test_a_demo_whose_proof_fails_is_1(forged: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(forged, tmp_path / "j")
    monkeypatch.setattr(demo, "_fresh", lambda _: tmp_path / "j")
    monkeypatch.setattr(demo, "_prepared", lambda *_: None)
    monkeypatch.setattr(demo, "_play", lambda *_: [])
    ran = run("tradingd", "demo")
    assert (ran.code, "NOT as it was written" in ran.out, "NOT identical" in ran.out) == (1, True, True)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_keygen_shows_the_public_key_only(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "signing.pem"
    ran = run("trade", "journal", "keygen", "--out", file)
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == (tmp_path / "signing.pem.pub").read_text().strip()
    assert not any(line in ran.out for line in file.read_text().splitlines())
    again = run("trade", "journal", "keygen", "--out", file)
    assert (again.code, again.out) == (2, "")
    assert again.err == f"error: {file} is there already and is not overwritten; name another file\n"
    made = json.loads(run("trade", "journal", "keygen", "--out", tmp_path / "b.pem", "--json").out)
    assert made["public_key_file"] == str(tmp_path / "b.pem.pub")
