"""Makes the golden journal of the format that the code writes today; run once for each format version.

    PYTHONPATH=tests python tests/replay/make_golden.py

tests/replay/golden/<format>.tar.xz is a journal in the middle of its day, with its config: sealed segments and one that
is not, a snapshot, open positions and resting orders. golden/<format>.json is what it holds.
"""

import json
import tarfile
import tempfile
from pathlib import Path

from golden_journal import contents_of
from small_day import journal_of, play_config, write_config

from tradingd.journal.folder import FORMAT

GOLDEN = Path(__file__).with_name("golden")
SECONDS = 150


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    archive = GOLDEN / f"{FORMAT}.tar.xz"
    assert not archive.exists(), f"{archive} is there; a golden journal is never made anew"
    with tempfile.TemporaryDirectory() as place:
        config = write_config(Path(place))
        play_config(config, f"feeds.market.duration_s={SECONDS}", "journal.roll_rows=1500")
        contents = contents_of(journal_of(config))
        assert contents["positions"], "no position is open at the end; choose another length"
        assert contents["resting"], "no order rests at the end; choose another length"
        with tarfile.open(archive, "w:xz", preset=9) as tar:
            tar.add(config, config.name)
            tar.add(journal_of(config).parent, journal_of(config).parent.name)
    (GOLDEN / f"{FORMAT}.json").write_text(json.dumps(contents, indent=1) + "\n")


if __name__ == "__main__":
    main()
