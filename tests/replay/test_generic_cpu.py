"""What one processor decided, another has to decide too: a replay with kernels compiled for a generic one."""

import os
import subprocess
import sys
from pathlib import Path

import small_day

REPLAY = "import sys; from tradingd_cli.trade import main; sys.argv[1:1] = ['replay', '--verify']; main()"


def test_a_generic_processor_re_executes_to_the_same_facts(tmp_path: Path) -> None:
    config = small_day.write_config(tmp_path)
    small_day.play_config(config)
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "TRADINGD_CACHE_DIR": str(tmp_path / "cache")}
    words = [sys.executable, "-c", REPLAY, str(small_day.journal_of(config))]
    run = subprocess.run(words, env=os.environ | generic, capture_output=True, text=True, check=False, timeout=240)
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert "identical" in run.stdout
