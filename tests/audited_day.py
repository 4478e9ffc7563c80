"""A short day with a strategy from a file, fills and refusals: what auditors' questions are asked of."""

import shutil
from pathlib import Path

import duckdb
from small_day import CONFIG, journal_of, play_config, write_config

OWN = '''"""Against the last bar."""

from tradingd.strategies.contract import Bar, PythonStrategy, Target


class Own(PythonStrategy):
    def on_bar(self, state: object, bar: Bar, params: object) -> Target | None:
        return Target(-1.0 if bar.close > bar.open else 1.0)
'''
STRATEGY = """
[[strategies]]
name = "own"
kind = "own.py:Own"
instruments = ["SIM:ALFA"]
timeframe = "1m"
allocation = 0.1

[risk]
max_notional = 26_000.0
"""


def write_day(folder: Path) -> Path:
    """The config, beside its strategy."""
    (folder / "own.py").write_text(OWN, encoding="utf-8")
    return write_config(folder, CONFIG + STRATEGY)


def play_day(folder: Path, *overrides: str) -> Path:
    """The journal of a day played to its end."""
    config = write_day(folder)
    play_config(config, *overrides)
    return journal_of(config)


def edited(journal: Path, folder: Path, statement: str) -> Path:
    """A copy of a journal in which a statement was run on its only segment."""
    shutil.copytree(journal, folder)
    with duckdb.connect(folder / "segments" / "000001.live.duckdb") as connection:
        connection.execute(statement)
    return folder
