"""Writers of a journal on a disk that remembers and fails: every run is a fork of this warm process.

    LD_PRELOAD=disk.so python writer.py

Takes one JSON object per line: {"root", "log", "until", "kill_at", "arm": [n, errno, stays]}; answers with the exit
code of the run (0, 3 where the journal failed, minus the signal that ended it) and how many operations on the disk it
made. What was acknowledged is appended to ACKS, beside the journal in `root`.
"""

import ctypes
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from journal_child import SETTINGS, commit_at

from tradingd.journal.errors import JournalError, JournalFailed
from tradingd.journal.writer import Journal

FAILED = 3
SHIM = ctypes.CDLL(None)
SHIM.disk_seen.restype = ctypes.c_long


def write(root: Path, until: int) -> None:
    acks = os.open(root / "ACKS", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    journal = Journal.open(root / "journal", SETTINGS)
    for number in range(journal.head.commit_no + 1, until + 1):
        head = journal.append(commit_at(number))
        os.write(acks, f"{head.commit_no}\n".encode())
        maintain(journal, number)
    journal.close()


def maintain(journal: Journal, number: int) -> None:
    """Snapshot, rollover and seal; the last two of these may fail without an end to everything."""
    if journal.should_roll():
        journal.roll()
    try:
        if number % 4 == 0:
            journal.write_snapshot(journal.last_seq, b"state %d" % number)
        journal.seal()
    except JournalFailed:
        raise
    except JournalError as error:
        print("later:", error, file=sys.stderr)


def run(order: dict[str, Any]) -> int:
    os.environ["DISK_ROOT"] = order["root"]
    if order.get("log"):
        os.environ["DISK_LOG"] = order["log"]
    os.environ["TRADINGD_KILL_AT"] = order.get("kill_at", "")
    SHIM.disk_arm(*order.get("arm", [0, 0, 0]))
    try:
        write(Path(order["root"]), order["until"])
    except JournalError as error:
        print("failed:", error, file=sys.stderr)
        return FAILED
    return 0


def fork(order: dict[str, Any]) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = run(order)
        finally:  # whatever it was, this fork must not go on as its parent
            if code == 1:
                traceback.print_exc()
            os.write(writing, str(SHIM.disk_seen()).encode())
            os._exit(code)
    os.close(writing)
    seen = os.read(reading, 32)
    os.close(reading)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), int(seen or -1)


def main() -> None:
    sys.modules["pyarrow"] = None  # type: ignore[assignment]  # the journal must work without
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        print(*fork(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
