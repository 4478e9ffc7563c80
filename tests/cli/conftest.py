"""Both programs as a shell runs them, in this process."""

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest
from tradingd_cli import trade, tradingd

PROGRAMS = {"trade": trade.main, "tradingd": tradingd.main}


class Ran(NamedTuple):
    code: object
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run(program: str, *arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", [program, *(str(argument) for argument in arguments)])
        code: object = 0
        try:
            PROGRAMS[program]()
        except SystemExit as leaving:
            code = leaving.code or 0
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run
