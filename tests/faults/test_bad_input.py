"""Whatever comes in: each bad row is an event that says what and where, each bad start one clear line."""

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_day import CONFIG, bodies_of, journal_of, play_config, re_executed, write_config

from tradingd.core.snapshot import state_digest
from tradingd.events import FeedState, FeedStatus, InputRejected
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify

TRADINGD = Path(sys.executable).with_name("tradingd")
START_NS = 1_741_000_000_000_000_000
QUOTES = """
[[feeds]]
kind = "file"
name = "rows"
batch_rows = 10

[[feeds.files]]
path = "rows.csv"
venue = "SIM"
ts_unit = "ns"
columns = { ts_event = "ts", bid = "bid", bid_size = "bid_size", ask = "ask", ask_size = "ask_size", symbol = "symbol" }
"""
BEFORE_FEEDS, AFTER_FEEDS = CONFIG[: CONFIG.index("[[feeds]]")], CONFIG[CONFIG.index("[bars]") :]
FROM_FILE = BEFORE_FEEDS + QUOTES + AFTER_FEEDS
# what a row becomes: "" for one that is kept (a crossed quote is what the venue said), else what its event says
ROWS = [
    ("{t},ALFA,99.99,100,100.01,200", ""),
    ("{t},ALFA,nan,100,100.01,200", "bid is not a number"),
    ("{t},ALFA,NaN,100,100.01,200", "bid is not a number"),
    ("{t},ALFA,inf,100,100.01,200", "not a finite number"),
    ("{t},ALFA,-99.99,100,100.01,200", "price not above zero"),
    ("{t},ALFA,0,100,100.01,200", "price not above zero"),
    ("{t},ALFA,99.99,-100,100.01,200", "negative size"),
    ("{t},ALFA,99.99,lots,100.01,200", "bid_size is not a number"),
    ("{t},ALFA,100.01,100,99.99,200", ""),
    ("{t},GAMA,99.99,100,100.01,200", "unknown symbol SIM:GAMA"),
    ("{t},,99.99,100,100.01,200", "unknown symbol SIM:"),
    ("yesterday,ALFA,99.99,100,100.01,200", "ts is no time"),
    ("-5,ALFA,99.99,100,100.01,200", "ts is no time"),
    ("99999999999999999999999,ALFA,99.99,100,100.01,200", "ts is no time"),
    ("{t},ALFA,99.99,100,,", ""),
    ("{t},ALFA,99.99,100", "4 fields where the header has 6"),
    ("{t},ALFA,99.99,100,100.01,200,7,8", "8 fields where the header has 6"),
    ('{t},"ALFA', "2 fields where the header has 6"),
    ("{t},ALFA,,,,", "quote with neither side"),
    ("", "0 fields where the header has 6"),
    ("{t},BETA,49.99,100,50.01,200", ""),
    ("{t},BETA,49.99,100,50.01,200", ""),  # there twice, and kept twice: nothing is guessed
    ("{back},BETA,49.98,100,50.00,200", ""),  # time goes back
    ("{t},BETA,1e300,100,1e301,200", "absurd: 1e+12 or more"),
]


def line_of(template: str, number: int) -> str:
    t_ns = START_NS + number * 100_000_000
    return template.replace("{t}", str(t_ns)).replace("{back}", str(t_ns - 3_600_000_000_000))


def rows_file(times: int) -> tuple[str, list[tuple[str, str]]]:
    """The rows above between good ones, over and over; and what is to be said of them: (where, reason)."""
    lines, said = ["ts,symbol,bid,bid_size,ask,ask_size"], []
    for _ in range(times):
        for template, reason in ROWS:
            lines += [line_of("{t},ALFA,99.99,100,100.01,200", len(lines)), line_of(template, len(lines) + 1)]
            if reason:
                said.append((f"rows.csv:{len(lines)}", reason))
    return "\n".join(lines) + "\n", said


def rejected_in(folder: Path) -> list[InputRejected]:
    return [body for body in bodies_of(folder, InputRejected) if isinstance(body, InputRejected)]


def ticks_in(folder: Path) -> int:
    with JournalReader.open(folder) as reader:
        return int(reader.sql("SELECT count(*) FROM ticks").item())


def test_bad_rows_become_events_and_nothing_is_lost(tmp_path: Path) -> None:
    config = write_config(tmp_path, FROM_FILE)
    text, said = rows_file(3)
    (tmp_path / "rows.csv").write_text(text)
    daemon = play_config(config)
    folder = journal_of(config)
    # each bad row is an event that says where it stood, what is wrong, and how it began
    rejected = rejected_in(folder)
    assert [(body.where, body.reason) for body in rejected] == said
    lines = text.splitlines()
    assert all(body.text == lines[int(body.where.partition(":")[2]) - 1] for body in rejected)
    # every row is a tick or such an event
    assert ticks_in(folder) + len(rejected) == len(lines) - 1 == daemon.state.ledger.cursors["rows"]
    assert f"{len(rejected)} rejected" in daemon.feed_status["rows"].detail
    assert verify(folder).ok
    assert state_digest(re_executed(folder)) == state_digest(daemon.state)
    # a second start takes none of them again
    again = play_config(config)
    assert rejected_in(folder) == rejected
    assert state_digest(again.state) == state_digest(daemon.state)


def test_time_that_goes_back_moves_no_clock(tmp_path: Path) -> None:
    config = write_config(tmp_path, FROM_FILE)
    (tmp_path / "rows.csv").write_text(rows_file(1)[0])
    daemon = play_config(config)
    assert daemon.state.memory.core_ns == START_NS + 2 * len(ROWS) * 100_000_000


def test_a_truncated_file_gives_what_can_be_read_and_says_where_it_ends(tmp_path: Path) -> None:
    good = "\n".join(["ts,symbol,bid,bid_size,ask,ask_size", *(line_of(ROWS[0][0], n) for n in range(60_000))])
    packed = gzip.compress(good.encode(), mtime=0)
    config = write_config(tmp_path, FROM_FILE.replace("rows.csv", "rows.csv.gz").replace("batch_rows = 10", ""))
    (tmp_path / "rows.csv.gz").write_bytes(packed[: len(packed) // 2])
    daemon = play_config(config)
    half_a_line, the_rest = rejected_in(journal_of(config))
    assert "where the header has 6" in half_a_line.reason
    assert re.fullmatch(r"rows\.csv\.gz:\d+", the_rest.where)
    assert "can not be read any further" in the_rest.reason
    assert ticks_in(journal_of(config)) > 1000
    assert daemon.feed_status["rows"].state is FeedState.DONE
    assert isinstance(bodies_of(journal_of(config), FeedStatus)[-1], FeedStatus)


# --- starts that can not be -------------------------------------------------------------------------------------------


def config_of(folder: Path, text: str = CONFIG) -> Path:
    folder.mkdir(exist_ok=True)
    return write_config(folder, text)


def unknown_key(folder: Path) -> Path:
    return config_of(folder, CONFIG.replace("slippage_ticks = 1", "slipage_ticks = 1"))


def not_toml(folder: Path) -> Path:
    return config_of(folder, "name = ")


def no_config(folder: Path) -> Path:
    return folder / "missing.toml"


def no_data(folder: Path) -> Path:
    return config_of(folder, FROM_FILE)


def empty_data(folder: Path) -> Path:
    config = config_of(folder, FROM_FILE)
    (folder / "rows.csv").write_text("")
    return config


def other_columns(folder: Path) -> Path:
    config = config_of(folder, FROM_FILE)
    (folder / "rows.csv").write_text("time,price\n1,2\n")
    return config


def foreign_folder(folder: Path) -> Path:
    config = config_of(folder)
    journal_of(config).mkdir(parents=True)
    (journal_of(config) / "holiday.jpg").write_bytes(b"not a journal")
    return config


def newer_format(folder: Path) -> Path:
    config = config_of(folder)
    play_config(config, "feeds.0.duration_s=1")
    identity = journal_of(config) / "journal.json"
    said = json.loads(identity.read_text())
    identity.write_text(json.dumps(said | {"format": said["format"] + 1}))
    return config


def damaged_journal(folder: Path) -> Path:
    config = config_of(folder)
    play_config(config, "feeds.0.duration_s=1")
    segment = journal_of(config) / "segments" / "000001.live.duckdb"
    segment.write_bytes(segment.read_bytes()[:8192])
    return config


def damaged_snapshot(folder: Path) -> Path:
    config = config_of(folder)
    play_config(config, "feeds.0.duration_s=1")
    (snapshot,) = (journal_of(config) / "snapshots").iterdir()
    snapshot.write_bytes(snapshot.read_bytes()[:-1] + b"?")
    return config


def journal_under_a_file(folder: Path) -> Path:
    config = config_of(folder, CONFIG.replace('name = "small"', 'name = "small"\njournal.folder = "a-file/journal"'))
    (folder / "a-file").write_text("")
    return config


def socket_in_no_folder(folder: Path) -> Path:
    return config_of(folder, CONFIG.replace("[daemon]", '[daemon]\ncontrol_socket = "no/such/folder/socket"'))


def strategy_that_does_not_load(folder: Path) -> Path:
    config = config_of(folder, CONFIG.replace('kind = "sma_cross"', 'kind = "mine.py:mine"'))
    (folder / "mine.py").write_text("import socket\n")
    return config


def another_unit_of_money(folder: Path) -> Path:
    config = config_of(folder)
    play_config(config, "feeds.0.duration_s=1")
    return config_of(folder, CONFIG.replace('"0.000001"', '"0.01"'))


STARTS = [
    (unknown_key, 2, r"simulation\.slipage_ticks: unknown key"),
    (not_toml, 2, "not TOML"),
    (no_config, 2, "no such file"),
    (no_data, 2, r"feeds\[0\]\.files\[0\]\.path: no file"),
    (empty_data, 2, "is empty"),
    (other_columns, 2, "no column 'ts'; it has time, price"),
    (foreign_folder, 3, "is no journal|not a journal"),
    (newer_format, 3, "format"),
    (damaged_journal, 3, "000001.live.duckdb"),
    (damaged_snapshot, 3, "snap"),
    (journal_under_a_file, 3, "a-file"),
    (socket_in_no_folder, 3, "can not make the control socket"),
    (strategy_that_does_not_load, 2, "import of socket is not allowed"),
    (another_unit_of_money, 3, "start a new journal"),
]


def start(config: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [TRADINGD, "start", "-c", config, "--until-done"]
    env = os.environ | environment
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("made", "code", "words"), STARTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_start_that_can_not_be_is_one_clear_line(
    tmp_path: Path, made: Callable[[Path], Path], code: int, words: str
) -> None:
    result = start(made(tmp_path / "day"))
    print(result.stderr)
    assert (result.returncode, result.stdout) == (code, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert re.search(words, line)


@pytest.mark.parametrize("place", ["a-file", "a-file/below", "/proc/no-such-folder"])
def test_an_unwritable_cache_is_one_clear_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").write_text("")
    result = start(config_of(tmp_path), TRADINGD_CACHE_DIR=str(tmp_path / place))
    assert (result.returncode, result.stdout) == (3, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: can not write compiled kernels to ")
    assert line.endswith("set TRADINGD_CACHE_DIR to a folder you own")
