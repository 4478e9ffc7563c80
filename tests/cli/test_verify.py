"""trade verify against signed heads that were kept elsewhere, as a shell runs it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_day import CONFIG, journal_of, play_config, write_config

Run = Callable[..., Any]
ANCHORED = """
[journal.signing]
key_file = "signing.pem"

[[journal.anchors]]
kind = "file"
name = "archive"
path = "archive.jsonl"
"""


@pytest.fixture
def day(tmp_path: Path, run: Run) -> Path:
    """A folder with a key, a journal and its anchor."""
    assert run("trade", "journal", "keygen", "--out", tmp_path / "signing.pem").code == 0
    play_config(write_config(tmp_path, CONFIG + ANCHORED))
    return tmp_path


def test_an_anchor_and_a_key(day: Path, run: Run) -> None:
    journal, anchor, key = journal_of(day / "small.toml"), day / "archive.jsonl", day / "signing.pem.pub"
    ran = run("trade", "verify", journal, "--anchor", anchor, "--public-key", key)
    assert ran.code == 0
    public_key = key.read_text().strip()
    lines = len(anchor.read_bytes().splitlines())
    assert f" signed heads in the journal, {lines} signed heads kept elsewhere, by {public_key}" in ran.out
    answer = json.loads(run("trade", "verify", journal, "--public-key", public_key, "--json").out)
    assert (answer["ok"], answer["public_keys"], answer["anchored_heads"]) == (True, [public_key], 0)
    assert run("trade", "verify", journal, "--anchor", answer["digest"]).code == 0


def test_the_answer_is_no_where_they_differ(day: Path, run: Run) -> None:
    journal = journal_of(day / "small.toml")
    ran = run("trade", "verify", journal, "--anchor", "0" * 64)
    assert ran.code == 1
    assert "NOT as it was written" in ran.out
    assert "the digest that was kept elsewhere" in ran.out
    ran = run("trade", "verify", journal, "--public-key", "0" * 64, "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["fault"]["what"] == "public key"


def test_what_is_no_key_or_no_anchor_is_one_line(day: Path, run: Run) -> None:
    journal = journal_of(day / "small.toml")
    ran = run("trade", "verify", journal, "--public-key", "nonsense")
    assert (ran.code, ran.err) == (2, "error: nonsense is neither 64 hex digits nor a file that holds them\n")
    ran = run("trade", "verify", journal, "--anchor", day / "lost")
    assert (ran.code, ran.err) == (3, f"error: {day / 'lost'}: No such file or directory\n")
