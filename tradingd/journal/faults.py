"""Named points at which a test kills the process: TRADINGD_KILL_AT="name" or "name:3" for its third passage.

TRADINGD_KILL_PID names another process to kill there: the daemon, where its sealer has come that far.
"""

import os
import signal
from collections import Counter

_passed: Counter[str] = Counter()


def point(name: str) -> None:
    """A process dies here by SIGKILL if the environment says so."""
    chosen = os.environ.get("TRADINGD_KILL_AT")
    if chosen is None:
        return
    _passed[name] += 1
    wanted, _, count = chosen.partition(":")
    if wanted == name and _passed[name] == int(count or 1):
        os.kill(int(os.environ.get("TRADINGD_KILL_PID", os.getpid())), signal.SIGKILL)
