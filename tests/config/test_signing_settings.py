"""`[journal.signing]` and `[[journal.anchors]]`: what has to hold between them, and their paths."""

from pathlib import Path
from typing import Any

import pytest
from small_day import CONFIG, write_config

from tradingd.config.load import core_settings, load
from tradingd.config.problems import ConfigError
from tradingd.journal.settings import FileAnchorSettings

SIGNING = '[journal.signing]\nkey_file = "keys/signing.pem"\n'
FILE = '[[journal.anchors]]\nkind = "file"\nname = "archive"\npath = "archive/heads.jsonl"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "signing.pem").touch()
    return tmp_path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(write_config(folder, CONFIG + text))
    return [line.partition("small.toml: ")[2] for line in str(raised.value).splitlines()]


def test_paths_are_relative_to_the_file(folder: Path) -> None:
    config = load(write_config(folder, CONFIG + SIGNING + FILE))
    assert config.journal.signing is not None
    assert config.journal.signing.key_file == str(folder / "keys" / "signing.pem")
    (anchor,) = config.journal.anchors
    assert isinstance(anchor, FileAnchorSettings)
    assert anchor.path == str(folder / "archive" / "heads.jsonl")


def test_who_signs_is_no_part_of_what_the_core_does(folder: Path) -> None:
    signed = load(write_config(folder, CONFIG + SIGNING + FILE))
    assert core_settings(signed) == core_settings(load(write_config(folder)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FILE, "journal.anchors: need a key that signs; `trade journal keygen` makes one for journal.signing"),
        (SIGNING + FILE * 2, 'journal.anchors[1].name: "archive" is there 2 times (0, 1)'),
        (SIGNING.replace("keys", "lost"), "journal.signing.key_file: no file {folder}/lost/signing.pem"),
        (SIGNING + "every_commits = 0", "journal.signing.every_commits: expected whole number >= 1, got 0"),
        (SIGNING + FILE.replace("archive/", "${LOST_}/"), "journal.anchors[0].path: the environment has no LOST_"),
        (SIGNING + FILE.replace('"file"', '"fax"'), 'journal.anchors[0].kind: unknown kind "fax" (known: file'),
        (SIGNING + FILE.replace("path", "url"), 'journal.anchors[0].url: unknown key (known: name, timeout_s, path)'),
        (SIGNING + '[[journal.anchors]]\nkind = "http"\nname = "x"\nurl = "x"', "journal.anchors[0].url: "),
        (SIGNING + '[[journal.anchors]]\nkind = "command"\nname = "x"\nargv = []', "journal.anchors[0].argv: expected"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(folder: Path, text: str, expected: str) -> None:
    first: Any = problems(folder, text)[0]
    assert first.startswith(expected.format(folder=folder) if "{folder}" in expected else expected)
