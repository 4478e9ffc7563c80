"""All that a seed decides before the first process starts."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from simulated.desk import settings_by
from simulated.faults import Kind
from simulated.market import Market

from tradingd.events import Command

COMMANDS = (Command.HALT, Command.RESUME, Command.RESUME, Command.FLATTEN, Command.STOP)
DISASTERS = (Kind.KILL, Kind.KILL, Kind.POWER, Kind.POWER, Kind.ERROR, Kind.CORE)
UNDISTURBED, CHANGING = 0.1, 0.25
SOON, LATER = 8, 120  # points of a run: within a recovery, and anywhere


class Wish(NamedTuple):
    """A command that the operator gives once so many rows were taken, again and again until it is acknowledged."""

    after_rows: int
    command: Command
    name: str


class Scenario:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.settings = settings_by(self.rng)
        self.market = Market(self.rng)
        self.wishes = self._wishes()
        self.plan = [] if self.rng.random() < UNDISTURBED else self._plan()
        self.changes = self.rng.random() < CHANGING

    def _wishes(self) -> Sequence[Wish]:
        rows = sum(map(len, self.market.rows.values()))
        times = sorted(self.rng.randint(0, rows) for _ in range(self.rng.randint(0, 4)))
        return [Wish(after, self.rng.choice(COMMANDS), f"wish {number}") for number, after in enumerate(times)]

    def _plan(self) -> list[tuple[int, Kind]]:
        count = self.rng.randint(1, 5)
        return [(self.rng.randint(1, self.rng.choice((SOON, LATER))), self.rng.choice(DISASTERS)) for _ in range(count)]
