"""Recomputes the digest chain from the tables alone."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import takewhile
from typing import NamedTuple

from tradingd.journal import database
from tradingd.journal.ahead import ahead
from tradingd.journal.database import Connection
from tradingd.journal.digest import CommitRow, Encoded, next_digest
from tradingd.journal.errors import JournalDamaged
from tradingd.journal.schema import ROW_TABLES
from tradingd.journal.tables import Tables

CHUNK_ROWS = 250_000
KEEP = "keep the folder as it is and restore a copy (`trade verify` says what is missing)"


class ChainPoint(NamedTuple):
    """The chain after a commit; commit_no and last_seq are 0 before the first."""

    commit_no: int
    last_seq: int
    digest: bytes


class Fault(NamedTuple):
    """The first thing that is not as it was committed. `commit_no` is None where no commit is meant."""

    where: str
    commit_no: int | None
    position: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        commit = "" if self.commit_no is None else f"commit {self.commit_no}"
        place = ", ".join(filter(None, [self.where, commit, self.position]))
        return f"{place}: {self.what}: expected {self.expected}, found {self.found}"


def chunks(rows: Iterable[CommitRow], limit: int = CHUNK_ROWS) -> Iterator[list[CommitRow]]:
    """Runs of commits of about `limit` rows together, at least one commit each."""
    chunk: list[CommitRow] = []
    size = 0
    for row in rows:
        if chunk and size + sum(row.counts) > limit:
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += sum(row.counts)
    if chunk:
        yield chunk


def check_chain(connection: Connection, start: ChainPoint, where: str, *, to_seq: int | None = None) -> ChainPoint:
    """The chain's end. Raises JournalDamaged at the first fault."""
    rows = database.read_commits(connection, start.last_seq + 1)
    chosen = rows if to_seq is None else takewhile(lambda row: row.last_seq <= to_seq, rows)
    end, fault = follow(connection, start, chosen, where)
    if fault is not None:
        raise JournalDamaged(f"damaged: {fault}; {KEEP}")
    return end


class _Chunk(NamedTuple):
    """Some commits and their rows, as the digest takes them."""

    commits: list[CommitRow]
    tables: Tables
    encoded: Encoded


def follow(
    connection: Connection, start: ChainPoint, rows: Iterable[CommitRow], where: str
) -> tuple[ChainPoint, Fault | None]:
    """Recomputes the digests of `rows`; stops at the first fault. Nobody else may use the connection meanwhile."""
    end = start
    with closing(ahead(_read_chunks(connection, rows))) as read:
        for chunk in read:
            end, fault = _follow_chunk(chunk, end, where)
            if fault is not None:
                return end, fault
    return end, None


def _read_chunks(connection: Connection, rows: Iterable[CommitRow]) -> Iterator[_Chunk]:
    for commits in chunks(rows):
        tables = database.read_tables(connection, commits[0].first_seq, commits[-1].last_seq)
        yield _Chunk(commits, tables, Encoded(tables))


def _follow_chunk(chunk: _Chunk, end: ChainPoint, where: str) -> tuple[ChainPoint, Fault | None]:
    rows, tables, encoded = chunk
    starts = tables.offsets([row.first_seq for row in rows]).tolist()
    stops = tables.offsets([row.last_seq + 1 for row in rows]).tolist()
    for row, start, stop in zip(rows, starts, stops, strict=True):
        fault = _order_fault(end, row, where) or _count_fault(row, start, stop, where)
        if fault is not None:
            return end, fault
        digest = next_digest(end.digest, row, encoded.part(start, stop))
        if digest != row.digest:
            return end, Fault(where, row.commit_no, _span(row), "digest", row.digest.hex(), digest.hex())
        end = ChainPoint(row.commit_no, row.last_seq, digest)
    return end, None


def _order_fault(end: ChainPoint, row: CommitRow, where: str) -> Fault | None:
    expected = (end.commit_no + 1, end.last_seq + 1)
    if (row.commit_no, row.first_seq) == expected:
        return None
    return Fault(
        where,
        expected[0],
        f"seq {expected[1]}",
        "next commit",
        f"commit {expected[0]} from seq {expected[1]}",
        f"commit {row.commit_no} from seq {row.first_seq}",
    )


def _count_fault(row: CommitRow, start: Sequence[int], stop: Sequence[int], where: str) -> Fault | None:
    for table, expected, first, last in zip(ROW_TABLES, row.counts, start, stop, strict=True):
        if last - first != expected:
            return Fault(where, row.commit_no, _span(row), f"rows in {table}", str(expected), str(last - first))
    return None


def _span(row: CommitRow) -> str:
    return f"seq {row.first_seq} to {row.last_seq}"
