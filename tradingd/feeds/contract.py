"""What every feed is: an ordered, resumable stream of ticks and of inputs about them."""

from collections.abc import AsyncGenerator
from typing import Protocol

from tradingd.columns import TickBatch
from tradingd.events import Input

Item = TickBatch | Input


class FeedConfigError(Exception):
    """A feed can not start as it is configured; the message is one line: what, where, what to do."""


class FeedInputs(Protocol):
    """What a feed's rows are made of."""

    def check(self, feed: str, told: str, rows: int) -> None:
        """Raises FeedConfigError where the journal's rows, at whose begin that was told, are of other inputs."""
        ...


class Feed(Protocol):
    """A source of market data.

    Each row or frame read becomes exactly one data row: a tick row or an InputRejected. Their count is the resume
    cursor: `batches(n)` continues after the first n of them, as if it had never stopped. A feed begins with a
    FeedStatus CONNECTED, and one that has an end ends with DONE; these and Gap are not counted.
    """

    @property
    def name(self) -> str: ...

    @property
    def inputs(self) -> FeedInputs: ...

    def batches(self, resume_after: int) -> AsyncGenerator[list[Item], None]:
        """Lists of items in order. Close it (contextlib.aclosing) to let go of its files before its end."""
        ...
