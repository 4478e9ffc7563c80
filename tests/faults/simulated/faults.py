"""What goes wrong and when: the seed's plan, counted in the points that a run passes."""

import enum
import errno
import os
from collections.abc import Sequence


class Kind(enum.StrEnum):
    KILL = "kill"  # the process dies; what it wrote is still there
    POWER = "power"  # the machine dies; what was not synced may be lost, in part too
    ERROR = "error"  # the disk says no
    CORE = "core"  # `advance` raises


class Died(Exception):
    """This process is no more. `kind` says what became of the disk."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self.kind = kind


class Faults:
    def __init__(self, plan: Sequence[tuple[int, Kind]]) -> None:
        """`plan`: after so many more points, this."""
        self._plan = list(plan)
        self._left = self._plan[0][0] if self._plan else 0
        self.happened: list[Kind] = []

    def point(self) -> None:
        """Anywhere that a process may die."""
        if self._is_due() and self._plan[0][1] in (Kind.KILL, Kind.POWER):
            raise Died(self._take())

    def disk(self) -> None:
        """An operation on the disk. Raises OSError where it fails."""
        self.point()
        if self._is_due() and self._plan[0][1] is Kind.ERROR:
            self._take()
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def core_fails(self) -> bool:
        return self._is_due() and self._plan[0][1] is Kind.CORE and self._take() is Kind.CORE

    def _is_due(self) -> bool:
        """What is due where it can not happen waits for where it can."""
        if not self._plan:
            return False
        self._left -= 1
        return self._left <= 0

    def _take(self) -> Kind:
        kind = self._plan.pop(0)[1]
        self._left = self._plan[0][0] if self._plan else 0
        self.happened.append(kind)
        return kind
