"""Daemons to kill: this process loads all compiled code once, and every run is a fork of it.

    python daemon_child.py CONFIG

Takes one JSON object per line: {"config", "overrides", "kill_at", "arm", "log", "acks"}; answers with the pid, and on
{"wait": pid} with its exit code, or minus the signal that ended it. `acks` gets a line for what is acknowledged. To be
armed it has to be started with the shim of `disk`.
"""

import asyncio
import ctypes
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from tradingd.commit import Commit
from tradingd.config.load import core_settings, load
from tradingd.core.advance import advance
from tradingd.core.settings import encode_settings
from tradingd.core.state import initial_state
from tradingd.daemon import daemon as daemons
from tradingd.daemon import sealing
from tradingd.daemon.logs import set_up_logs
from tradingd.daemon.prepare import prepare
from tradingd.events import Input, RunStarted
from tradingd.feeds.simulated import simulated_feed
from tradingd.journal.errors import JournalError
from tradingd.rerun import load_library


def load_compiled_code(config_path: Path) -> None:
    """The core over a day, without a journal: DuckDB and Polars have threads, which no fork would take along."""
    config = load(config_path)
    settings = core_settings(config)
    state = initial_state(settings, load_library(settings, config_path.parent))
    body = RunStarted(
        journal_id="WARM",
        epoch=1,
        config=encode_settings(settings),
        config_digest="",
        code_digest="",
        sources=("market",),
    )
    advance(state, [Input(1, 0, "daemon", body)])
    for items in simulated_feed(config.feeds[0], 0, settings.instruments).items(0):
        advance(state, items)


def play(order: dict[str, Any]) -> None:
    """One run of the daemon, as `tradingd start` does it."""
    os.environ["TRADINGD_KILL_AT"] = order.get("kill_at", "")
    os.environ["TRADINGD_KILL_PID"] = str(os.getpid())
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    acks = os.open(order["acks"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    config = load(Path(order["config"]), order.get("overrides", []))
    set_up_logs("warning")
    if order.get("arm"):
        os.environ["DISK_ROOT"] = config.journal.folder
        ctypes.CDLL(None).disk_arm(*order["arm"])
    p = prepare(config, Path(order["config"]).parent)

    def acknowledge(commit: Commit) -> None:
        os.write(acks, f"{commit.last_seq} {p.journal.head.digest.hex()}\n".encode())

    daemons.HOUSEKEEPING_S = sealing.LOOK_S = 0.01
    daemon = daemons.Daemon(p, until_done=True, published=acknowledge)
    asyncio.run(daemon.run())


def fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        play(order)
        code = 0
    except (JournalError, OSError) as error:  # of which `tradingd start` makes one line, too
        print(error, file=sys.stderr)
        code = daemons.EXIT_OUTSIDE_FAILED
    finally:  # whatever it was, this fork must not go on as its parent
        if code == 1:
            traceback.print_exc()
        os._exit(code)


def main() -> None:
    load_compiled_code(Path(sys.argv[1]))
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
        else:
            print(fork(order), flush=True)


if __name__ == "__main__":
    main()
