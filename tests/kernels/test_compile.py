"""Compiled code that several processes put into one cache is never taken for another's."""

import json
import os
import subprocess
import sys
from pathlib import Path

# The ring's size is part of the record's type: code for one size writes beyond the end of a smaller one.
KERNELS = """
import json
import sys

import numba
import numpy as np

from tradingd.kernels.compile import kernel


@kernel
def ring_size(state):
    return state.ring.size


@kernel
def sizes(a, b):
    return ring_size(a), ring_size(b)


def record(size):
    return np.zeros(1, np.dtype([("seen", "<i8"), ("ring", "<f8", (size,))], align=True))[0]


for size in map(int, sys.argv[1].split(",")):
    assert ring_size(record(size)) == size
if len(sys.argv) > 2:
    first, second = map(int, sys.argv[2].split(","))
    print(json.dumps(sizes(record(first), record(second))))
"""


def run(folder: Path, *arguments: str) -> str:
    (folder / "rings.py").write_text(KERNELS)
    env = os.environ | {"TRADINGD_CACHE_DIR": str(folder / "cache")}
    ran = subprocess.run(
        [sys.executable, "rings.py", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_code_of_two_processes_for_two_record_types_is_not_mixed_up(tmp_path: Path) -> None:
    # given two processes that each compiled the same function, for the first record type that they met
    run(tmp_path, "8")
    run(tmp_path, "32")
    # when a third one takes both from the cache and links them into one function
    found = run(tmp_path, "8,32", "8,32")
    # then each type has its own
    assert json.loads(found) == [8, 32]


def test_processes_that_save_at_the_same_time_do_not_take_each_others_place(tmp_path: Path) -> None:
    sizes = [8, 16, 32, 64]
    (tmp_path / "rings.py").write_text(KERNELS)
    env = os.environ | {"TRADINGD_CACHE_DIR": str(tmp_path / "cache")}
    started = [
        subprocess.Popen([sys.executable, "rings.py", str(size)], cwd=tmp_path, env=env, stderr=subprocess.PIPE)
        for size in sizes
    ]
    for process in started:
        assert process.communicate()[1] == b""
    # each one's code is there, in a file of its own
    run(tmp_path, ",".join(map(str, sizes)))
    saved = [path.name for path in (tmp_path / "cache").rglob("rings.ring_size-*.nbc")]
    assert len(saved) == len(sizes)


CACHED = """
import sys

import numpy as np

from tradingd.kernels.compile import kernel


@kernel
def total(values):
    return values.sum()


@kernel
def middle(values):
    counts = {round(value): 1 for value in values}
    return np.sort(values)[len(counts) // 2] + (hash("a") == 0)


values = np.array([3.0, 1.0, 2.0])
for function in sys.argv[1:]:
    assert {"total": total, "middle": middle}[function](values) == {"total": 6.0, "middle": 2.0}[function]
    print(function, "numba.typed.typeddict" in sys.modules, *total.stats.cache_hits.values())
"""


def test_what_is_in_the_cache_needs_no_compiler_and_the_rest_makes_it_ready(tmp_path: Path) -> None:
    (tmp_path / "cached.py").write_text(CACHED)
    env = os.environ | {"TRADINGD_CACHE_DIR": str(tmp_path / "cache")}

    def said(*functions: str) -> list[str]:
        command = [sys.executable, "cached.py", *functions]
        ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
        return ran.stdout.splitlines()

    assert said("total") == ["total True"]
    assert said("total", "middle", "total") == ["total False 1", "middle True 1", "total True 1"]
    assert len(said("middle", "total")) == 2  # hashes and containers, which nothing has been compiled for here
