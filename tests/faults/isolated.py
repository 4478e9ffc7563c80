"""Work in a fork of this process: a crash, a hang or an unforeseen exception in there is told and ends nothing else.

DuckDB and Polars have threads, which no fork takes along: who forks must not have used them.
"""

import os
import signal
import traceback
from collections.abc import Callable

HANG_S = 120


def isolated(work: Callable[[], str]) -> str:
    """What `work` returns. Raises AssertionError where it does not come to that."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _do(work, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 0, f"it ended with {code}: {said}"
    return said


def _do(work: Callable[[], str], writing: int) -> None:
    signal.alarm(HANG_S)
    said, code = "", 1
    try:
        said = work()
        code = 0
    finally:  # whatever it was, this fork must not go on as its parent
        if code:
            said = traceback.format_exc()
        os.write(writing, said.encode()[-60_000:])  # less than a pipe holds
        os._exit(code)
