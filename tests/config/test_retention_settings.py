"""`[journal.retention]`: its folder, and what it refuses."""

from pathlib import Path

import pytest
from small_day import CONFIG, write_config

from tradingd.config.load import core_settings, load
from tradingd.config.problems import ConfigError

RETENTION = '[journal.retention]\narchive_after_days = 0.5\narchive_to = "old"\n'


def test_the_folder_is_relative_to_the_file(tmp_path: Path) -> None:
    config = load(write_config(tmp_path, CONFIG + RETENTION))
    assert config.journal.retention is not None
    assert config.journal.retention.archive_to == str(tmp_path / "old")
    assert config.journal.retention.compact_to_mb == 0
    assert core_settings(config) == core_settings(load(write_config(tmp_path)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RETENTION + "keep = 3", "journal.retention.keep: unknown key"),
        (RETENTION.replace("0.5", "0"), "journal.retention.archive_after_days: expected number > 0"),
        (RETENTION.replace('"old"', '""'), "journal.retention.archive_to: expected"),
        (RETENTION.replace("old", "${LOST_}"), "journal.retention.archive_to: the environment has no LOST_"),
        (RETENTION.replace("old", "journal/small/old"), "journal.retention.archive_to: is within the journal"),
        (RETENTION + "compact_to_mb = -1", "journal.retention.compact_to_mb: expected whole number >= 0"),
        ('[journal.retention]\narchive_to = "old"', "journal.retention.archive_after_days: "),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(write_config(tmp_path, CONFIG + text))
    (line,) = str(raised.value).splitlines()
    assert line.partition("small.toml: ")[2].startswith(expected)
