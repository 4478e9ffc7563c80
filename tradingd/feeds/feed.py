"""The one feed class: any source of rows, made into batches of items a chunk ahead of who takes them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import TypeVar

from tradingd.events import FeedState, FeedStatus, Input
from tradingd.feeds.contract import Item
from tradingd.feeds.inputs import Inputs
from tradingd.feeds.report import Report
from tradingd.feeds.rows import Rows, items_of, rebatched

T = TypeVar("T")

# From the resume cursor to (rows skipped already, rows from there on): a source may skip what it need not read again.
RowSource = Callable[[int], tuple[int, Iterator[Rows]]]


class RowFeed:
    """A finite feed. `files` names the files that rows point into; reading and parsing happen in a thread."""

    def __init__(
        self, name: str, source: int, batch_rows: int, rows: RowSource, inputs: Inputs, files: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.inputs = inputs
        self._told = inputs.text()
        self._source = source
        self._batch_rows = batch_rows
        self._rows = rows
        self._files = files

    async def batches(self, resume_after: int) -> AsyncGenerator[list[Item], None]:
        async with aclosing(one_ahead(self.items(resume_after))) as coming:
            async for items in coming:
                yield items

    def items(self, resume_after: int) -> Iterator[list[Item]]:
        """The same without asyncio."""
        return _Run(self.name, self._source, self._files, resume_after, self._told).items(
            *self._rows(resume_after), batch_rows=self._batch_rows
        )


class _Run:
    """One pass over a feed."""

    def __init__(self, name: str, source: int, files: Sequence[str], resume_after: int, told: str) -> None:
        self._name = name
        self._source = source
        self._files = files
        self._resume_after = resume_after
        self._told = told
        self._ts_ns = 0
        self._missing = 0
        self._report = Report()

    def items(self, skipped: int, pieces: Iterator[Rows], *, batch_rows: int) -> Iterator[list[Item]]:
        batches = rebatched(self._remaining(skipped, pieces), batch_rows)
        first = next(batches, None)
        if first is None:
            yield [self._connected()]
        else:
            self._ts_ns = int(first.columns["ts_received_ns"][0])
            yield [self._connected(), *self._batch(first)]
            yield from map(self._batch, batches)
        yield from self._end()

    def _remaining(self, skipped: int, pieces: Iterator[Rows]) -> Iterator[Rows]:
        """Rows after the resume cursor."""
        self._missing = self._resume_after - skipped
        for rows in pieces:
            start = min(max(self._missing, 0), len(rows))
            self._missing -= start
            if start < len(rows):
                yield rows.slice(start, len(rows))
            else:
                self._ts_ns = _last_ns(rows, self._ts_ns)

    def _batch(self, rows: Rows) -> list[Item]:
        self._ts_ns = _last_ns(rows, self._ts_ns)
        self._report.add(rows)
        return items_of(rows, self._name, self._source, self._files)

    def _connected(self) -> Input:
        resumed = f"resumed after {self._resume_after} rows, " if self._resume_after else ""
        return self._status(FeedState.CONNECTED, resumed + self._told)

    def _end(self) -> Iterator[list[Item]]:
        if self._missing > 0:
            text = f"the journal holds {self._missing} more rows than there are: were the files or settings changed?"
            yield [self._status(FeedState.DISCONNECTED, text)]
        yield [self._status(FeedState.DONE, self._report.text())]

    def _status(self, state: FeedState, detail: str) -> Input:
        body = FeedStatus(feed=self._name, state=state, detail=detail)
        return Input(ts_event_ns=self._ts_ns, ts_received_ns=self._ts_ns, source=self._name, body=body)


def _last_ns(rows: Rows, otherwise: int) -> int:
    return int(rows.columns["ts_received_ns"][-1]) if len(rows) else otherwise


async def one_ahead(iterator: Iterator[T]) -> AsyncGenerator[T, None]:
    """The iterator run in a thread, its next value made while the last one is used."""
    coming = asyncio.create_task(asyncio.to_thread(next, iterator, None))
    try:
        while (value := await coming) is not None:
            coming = asyncio.create_task(asyncio.to_thread(next, iterator, None))
            yield value
    finally:
        coming.cancel()
