"""The daemon as a process: signals, exit codes, and what it says to who started it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_day import CONFIG, ROWS, bodies_of, events_of, journal_of, play_config, re_executed, rows_of, write_config

from tradingd.api.client import DaemonUnreachableError, call
from tradingd.api.messages import Recorded, Request, Status
from tradingd.core.snapshot import state_digest
from tradingd.events import CoreFailed, OrderFilled, Resumed, RunStopped
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify

TRADINGD = Path(sys.executable).with_name("tradingd")
MAIN = "from tradingd_cli.tradingd import main; main()"
STOP_S_MAX = 5.0
# a day that no machine plays to its end while a test waits
LONG = CONFIG.replace("duration_s = 400", "duration_s = 80000").replace("batch_rows = 200", "batch_rows = 20000")
LONG = LONG.replace("inbox_batches_max = 4\nbatch_rows_max = 200\n", "")

FAILING = """
from msgspec import Struct

from tradingd.strategies.contract import PythonStrategy, Target


class Failing(PythonStrategy):
    class State(Struct):
        bars: int = 0

    def on_bar(self, state, bar, params):
        state.bars += 1
        if state.bars == 60:
            raise ZeroDivisionError("on purpose")
        return Target(0.2 if state.bars % 2 else -0.2)
"""
WITH_FAILING = (
    CONFIG
    + """
[[strategies]]
name = "failing"
kind = "failing.py:Failing"
instruments = ["SIM:ALFA"]
timeframe = "1s"
allocation = 0.1
"""
)


def start(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [TRADINGD, "start", "-c", config, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def process_of(config: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The daemon, however far it is; it is gone afterwards."""
    command = [TRADINGD, "start", "-c", config, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_status(config: Path, process: subprocess.Popen[str], fills: int = 0) -> Status:
    """Once it runs and has so many fills."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            status = call(journal_of(config) / "control.sock", Request("status"))
        except DaemonUnreachableError:
            status = None
        if isinstance(status, Status) and status.state != "starting" and status.counts.get("OrderFilled", 0) >= fills:
            return status
        time.sleep(0.02)
    pytest.fail(f"it did not start: {process.communicate()[1]}")


@pytest.mark.parametrize(("number", "pace"), [(signal.SIGTERM, "max"), (signal.SIGINT, "recorded")])
def test_a_signal_stops_it_cleanly(tmp_path: Path, number: signal.Signals, pace: str) -> None:
    config = write_config(tmp_path, LONG)
    arguments = ["--set", f'feeds.0.pace="{pace}"', "--set", "feeds.0.speed=300", "--json"]
    with process_of(config, *arguments) as process:
        first_status(config, process, fills=1)
        process.send_signal(number)
        asked_s = time.monotonic()
        out, err = process.communicate(timeout=20)
    # soon, with exit code 0, a status and no traceback
    assert time.monotonic() - asked_s < STOP_S_MAX
    assert (process.returncode, "Traceback" in err) == (0, False)
    status = json.loads(out)
    # everything of it is in the journal
    folder = journal_of(config)
    assert bodies_of(folder, RunStopped) == [RunStopped(number.name)]
    assert verify(folder).ok
    with JournalReader.open(folder) as reader:
        assert reader.last_seq == status["seq"]
        assert reader.sql("SELECT count(*) FROM ticks").item() == status["counts"]["Tick"]
    assert not (folder / "control.sock").exists()


def test_a_second_daemon_on_the_journal_gets_one_line(tmp_path: Path) -> None:
    config = write_config(tmp_path, LONG)
    with process_of(config, "--set", 'feeds.0.pace="recorded"') as process:
        first_status(config, process)
        second = start(config)
        assert (second.returncode, second.stdout) == (3, "")
        assert second.stderr.splitlines() == [
            f"error: {journal_of(config)} is in use by process {process.pid}; stop it first (`tradingd stop`)"
        ]
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_strategy_that_raises_ends_the_process_and_a_human_resumes(tmp_path: Path) -> None:
    config = write_config(tmp_path, WITH_FAILING)
    (tmp_path / "failing.py").write_text(FAILING)
    folder = journal_of(config)
    # given a strategy with a bug: the inputs and the failure are journalled, the exit code is 70
    failed = start(config, "--until-done")
    assert failed.returncode == 70
    assert "the core failed" in failed.stderr
    (event,) = events_of(folder, CoreFailed)
    assert isinstance(event.body, CoreFailed)
    assert event.body.error == "ZeroDivisionError('on purpose')"
    assert "on_bar" in event.body.traceback
    assert event.n == 1
    assert verify(folder).ok
    kept = rows_of(folder)
    assert 0 < kept < ROWS
    # when it is started again, also with another config, it is halted, and takes no more until a human says so
    for arguments in ([], ["--set", "risk.max_notional=50000.0"]):
        with process_of(config, *arguments) as process:
            status = first_status(config, process)
            assert (status.state, status.halted_by) == ("halted", "core_failed")
            process.terminate()
            _, err = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "feeds wait for `tradingd resume`" in err
    assert rows_of(folder) == kept
    # when the bug is mended and a human resumes, the day goes on, without the inputs at which the core failed
    (tmp_path / "failing.py").write_text(FAILING.replace("== 60", "== -1"))
    with process_of(config, "--until-done") as process:
        first_status(config, process)
        resumed = call(folder / "control.sock", Request("resume", "it is mended"))
        process.communicate(timeout=20)
    assert process.returncode == 0
    (resume,) = events_of(folder, Resumed)
    assert isinstance(resumed, Recorded)
    assert resume.seq == resumed.seq
    assert rows_of(folder) == ROWS
    assert any(event.seq > resume.seq for event in events_of(folder, OrderFilled))
    state = re_executed(folder)
    assert state.ledger.halts == {}
    assert state.ledger.cursors == {"market": ROWS}


def test_a_full_disk_ends_the_process_and_the_next_start_goes_on(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = play_config(write_config(tmp_path / "whole"))
    config = write_config(tmp_path)
    # given a disk on which no file may grow beyond a limit
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000)); " + MAIN
    command = [sys.executable, "-c", code, "start", "-c", config, "--until-done"]
    failed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert failed.returncode == 3, failed.stderr
    assert "failed" in failed.stderr.splitlines()[-1]
    assert "the process ends, the next start recovers" in failed.stderr
    assert "Traceback" not in failed.stderr
    # when there is room again, the day goes on
    assert start(config, "--until-done").returncode == 0
    assert rows_of(journal_of(config)) == ROWS
    assert state_digest(re_executed(journal_of(config))) == state_digest(whole.state)


def test_whatever_fails_of_the_live_segment_ends_the_process(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    code = "from tradingd.journal import errors, writer\n"
    code += "def fail(*_): raise errors.JournalFailed('no space left')\n"
    code += f"writer.Journal.roll = fail\n{MAIN}"
    often = ["--set", "journal.roll_rows=1500"]
    command = [sys.executable, "-c", code, "start", "-c", config, "--until-done", *often]
    failed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert failed.returncode == 3, failed.stderr
    assert json.loads(failed.stderr.splitlines()[-1])["message"] == (
        "no space left; the process ends, the next start recovers"
    )
    # the next start goes on, and nothing is lost
    play_config(config)
    assert rows_of(journal_of(config)) == ROWS


def test_a_failing_seal_or_snapshot_is_said_and_trading_goes_on(tmp_path: Path) -> None:
    # given a disk with room for commits, but neither for a compacted segment nor for a snapshot
    config = write_config(tmp_path)
    code = "import sys; from tradingd.journal import sealer, snapshots\n"
    code += "def fail(*_): raise OSError(28, 'No space left on device')\n"
    code += "snapshots.write = fail\n"
    code += "sealer.command = lambda *_: [sys.executable, '-c', 'raise SystemExit(\"no space\")']\n"
    often = ["--set", "journal.roll_rows=1500", "--set", "daemon.snapshot_interval_s=0.05"]
    command = [sys.executable, "-c", code + MAIN, "start", "-c", config, "--until-done", *often]
    # when the day is played
    played = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    # then it is played to its end, and the log says what is missing
    assert played.returncode == 0, played.stderr
    assert "segment 1 is not sealed yet: no space; it stays readable and is tried again" in played.stderr
    assert "failed: No space left on device; the next one is tried in 0.05 s" in played.stderr
    assert rows_of(journal_of(config)) == ROWS
    # and the next start makes up for it
    play_config(config)
    assert (journal_of(config) / "segments" / "000001.manifest.json").exists()
    assert verify(journal_of(config)).ok


def test_auditors_read_a_running_journal_up_to_now(tmp_path: Path) -> None:
    config = write_config(tmp_path, LONG)
    trade = TRADINGD.with_name("trade")
    patience_s = 140  # beside a daemon they get what all others leave, and here that are other tests
    with process_of(config) as process:
        first_status(config, process, fills=1)
        seen = [
            json.loads(
                subprocess.run([trade, *command, "--json"], capture_output=True, check=True, timeout=patience_s).stdout
            )
            for command in (
                ["journal", "sql", journal_of(config), "SELECT max(last_seq) AS seq FROM commits"],
                ["state", journal_of(config)],
            )
        ]
        assert process.poll() is None
    assert 0 < seen[0]["rows"][0]["seq"] <= seen[1]["seq"]


def test_log_lines_are_json_with_their_position(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    lines = [json.loads(line) for line in start(config, "--until-done").stderr.splitlines()]
    assert [line["message"] for line in lines if line["level"] != "warning"][-1].startswith("feed market: done")
    assert all(line.keys() == {"level", "logger", "message", "seq", "n"} for line in lines)
    assert lines[0].pop("message").startswith("feed market: connected inputs ")
    assert lines[0] == {"level": "info", "logger": "tradingd", "seq": 2, "n": 0}
