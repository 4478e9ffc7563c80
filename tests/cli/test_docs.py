"""Every command line in the README and the docs is one that the programs take."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from tradingd_cli import trade, tradingd

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = {"trade": trade.app, "tradingd": tradingd.app}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:trade|tradingd) [^`]+)`")
TARGETS = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def lines(page: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    for language, block in FENCED.findall(text):
        if language in ("sh", "console"):
            yield from block.splitlines()
    yield from INLINE.findall(FENCED.sub("", text))


def command_of(line: str) -> list[str]:
    """The words of a line that starts one of the programs, wherever it is installed; none for other lines."""
    words = shlex.split(line, comments=True)
    start = next((n for n, word in enumerate(words) if Path(word).name in PROGRAMS), None)
    if start is None or any("=" not in word and word != "sudo" for word in words[:start]):
        return []
    words = words[start:]
    end = next((n for n, word in enumerate(words) if word in (">", "|", "&&", "...")), len(words))
    return [Path(words[0]).name, *words[1:end]]


COMMANDS = sorted({tuple(command_of(line)) for page in PAGES for line in lines(page)} - {()})


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_in_the_docs_is_understood(words: tuple[str, ...]) -> None:
    """Parsed down to its options, not run. One that is mentioned without its arguments is known at least."""
    command: Any = typer.main.get_command(PROGRAMS[words[0]])
    rest = list(words[1:])
    while rest and not rest[0].startswith("-") and hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word.partition("=")[0] for word in rest if word.startswith("-")} <= options | {"--help", "-h"}


def test_the_docs_name_commands() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_in_the_docs_exist(page: Path) -> None:
    named = {name for line in lines(page) for name in re.findall(r"^(?:PYTHON=\S+ )?make ([a-z]+)", line)}
    assert named <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_in_the_docs_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
