"""The walk in docs/audit.md: every command of it runs, on a demo journal of today."""

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from audited_day import edited
from tradingd_cli import trade, tradingd

from tradingd.journal.reader import JournalReader

PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
COMMANDS = re.findall(r"^\$ (trade .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
QUICK = ("--set", 'feeds.market.pace="max"')


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with journal/demo and a forged copy of it."""
    folder = tmp_path_factory.mktemp("walk")
    assert ended(tradingd.main, ["tradingd", "demo", "-j", str(folder / "journal" / "demo"), *QUICK]) == 0
    cheaper = "replace(payload, '\"fee\":', '\"fee\":1')"
    one = "seq = (SELECT min(seq) FROM facts WHERE type = 'OrderFilled')"
    edited(folder / "journal" / "demo", folder / "forged", f"UPDATE facts SET payload = {cheaper} WHERE {one}")
    return folder


def ended(program: Callable[[], None], argv: list[str]) -> object:
    before, sys.argv = sys.argv, argv
    try:
        program()
    except SystemExit as leaving:
        return leaving.code or 0
    finally:
        sys.argv = before
    return 0


def today(words: list[str], journal: Path) -> list[str]:
    """Positions of events move with the code; those of today's first fill and first refusal stand for them."""
    if words[1] != "explain":
        return words
    kind = "OrderFilled" if words == shlex.split(EXPLAINED[0]) else "OrderRefused"
    with JournalReader.open(journal) as reader:
        seq, n = reader.sql(f"SELECT seq, n FROM facts WHERE type = '{kind}' ORDER BY seq, n LIMIT 1").row(0)
    return [*words[:-1], f"{seq}.{n}"]


EXPLAINED = [command for command in COMMANDS if command.startswith("trade explain")]


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) >= 13
    assert len(EXPLAINED) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_runs(
    command: str, walk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(walk)
    words = today(shlex.split(command), walk / "journal" / "demo")
    expected = 1 if "forged" in words or words[1] == "diff" else 0
    assert ended(trade.main, words) == expected, capsys.readouterr().err
    first = capsys.readouterr().out.splitlines()[0]
    shown = PAGE.read_text(encoding="utf-8").partition(f"$ {command}\n")[2].splitlines()[0]
    if words[1] in ("verify", "replay"):
        assert first == shown
