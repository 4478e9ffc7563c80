"""Runs a fault campaign seed by seed.

    python tests/faults/campaign.py NAME [FROM [TO]]     seeds FROM to TO - 1; without them all that the campaign wants
    python tests/faults/campaign.py --all                every campaign

Prints what came out, counted; at the first failure the seed's command and the folder that it left, and ends with 1.
Ctrl-C prints what goes on from there.
"""

import importlib
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Protocol

from tradingd.journal.errors import JournalError

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]


class Campaign(Protocol):
    """Made once with a folder of its own, for what the seeds share."""

    def run(self, seed: int, folder: Path) -> str:
        """What came out, in a word or two that are counted; raises AssertionError. The same seed does the same."""
        ...

    def close(self) -> None: ...


def names() -> list[str]:
    return sorted(path.stem.removeprefix("campaign_") for path in HERE.glob("campaign_*.py"))


def run(name: str, first: int, stop: int) -> bool:
    """Whether all seeds passed."""
    module = importlib.import_module(f"campaign_{name}")
    began_s, outcomes = time.monotonic(), Counter[str]()
    place = Path(tempfile.mkdtemp(prefix=f"tradingd-{name}-"))
    campaign: Campaign = module.Campaign(place)
    seeds = range(first, stop or module.SEEDS)
    try:
        for seed in seeds:
            again = f"python tests/faults/campaign.py {name} {seed}"
            outcomes[campaign.run(seed, place / str(seed))] += 1
    except (AssertionError, JournalError) as error:
        traceback.print_exception(error)
        print(f"{name}: FAILED at seed {seed}; again: {again} {seed + 1}; what it left: {place / str(seed)}")
        return False
    except KeyboardInterrupt:
        shutil.rmtree(place)
        sys.exit(f"{name}: {_counted(outcomes)} from seed {seeds.start}; go on: {again} {seeds.stop}")
    finally:
        campaign.close()
    shutil.rmtree(place)
    took_s = time.monotonic() - began_s
    print(f"{name}: seeds {seeds.start} to {seeds.stop - 1}: {_counted(outcomes)}; {took_s:.0f} s", flush=True)
    return True


def _counted(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())


def main() -> None:
    if sys.argv[1:] == ["--all"]:
        passed = [run(name, 0, 0) for name in names()]
        sys.exit(0 if all(passed) else 1)
    if len(sys.argv) not in (2, 3, 4) or sys.argv[1] not in names():
        sys.exit(f"usage: campaign.py NAME [FROM [TO]], campaign.py --all; NAME is one of {', '.join(names())}")
    first, stop = (*map(int, sys.argv[2:]), 0, 0)[:2]
    sys.exit(0 if run(sys.argv[1], first, stop) else 1)


if __name__ == "__main__":
    main()
