"""What is ready before a run starts."""

import subprocess
import sys
from pathlib import Path

from small_day import ROOT, write_config

# a process of its own: in this one the kernels have been compiled by whatever ran before
COMPILED_LATER = """
import asyncio
import sys
from pathlib import Path

from numba.core.dispatcher import Dispatcher

from tradingd.config.load import load
from tradingd.daemon.daemon import Daemon
from tradingd.daemon.prepare import prepare

config = Path(sys.argv[1])
daemon = Daemon(prepare(load(config, []), config.parent), until_done=True)
compile = Dispatcher.compile


def told(dispatcher, types):
    before = len(dispatcher.overloads)
    entry = compile(dispatcher, types)
    if len(dispatcher.overloads) > before:
        print(dispatcher.py_func.__name__)
    return entry


Dispatcher.compile = told
asyncio.run(daemon.run())
print(daemon.counts["OrderFilled"], "fills")
"""


def test_no_kernel_is_compiled_once_the_feeds_may_start(tmp_path: Path) -> None:
    """It would keep the first row waiting for seconds, and the first fill for half of one."""
    command = [sys.executable, "-c", COMPILED_LATER, str(write_config(tmp_path))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    compiled, fills = done.stdout.splitlines()[:-1], done.stdout.splitlines()[-1]
    assert compiled == []
    assert int(fills.split()[0]) > 0
