"""What goes from the core to the journal."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tradingd.commit import Commit


@dataclass(frozen=True, slots=True)
class Job:
    """A commit on its way to the disk, and who waits to hear the seq of what they said."""

    commit: Commit
    waiting: Sequence[tuple[int, asyncio.Future[int]]] = ()
    is_last: bool = False  # the core failed: the process ends once this is durable
