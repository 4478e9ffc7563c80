"""Every command line in the README and the docs is one that the programs take."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from built_wheel import ROOT
from doc_pages import PAGES, command_of, mentioned
from tradingd_cli import trade, tradingd

PROGRAMS = {"trade": trade.app, "tradingd": tradingd.app}
TARGETS = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
COMMANDS = sorted({tuple(command_of(line)) for page in PAGES for line in mentioned(page)} - {()})


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
    named = {name for line in mentioned(page) for name in re.findall(r"^(?:PYTHON=\S+ )?make ([a-z]+)", line)}
    assert named <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_in_the_docs_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
