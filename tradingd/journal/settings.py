"""Settings of the journal's writer."""

from typing import Annotated

from msgspec import Meta, Struct


class JournalSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """checkpoint_wal_mb     the write-ahead log is folded into the segment from this size on
    checkpoint_s          and after this time; commits wait about 3 ms per MB of log meanwhile
    roll_mb, roll_rows    a segment is rolled over from this size on
    roll_daily            and at the first commit of a new UTC day
    memory_mb, threads    what DuckDB may use; too little memory for twice the write-ahead log fails commits
    """

    checkpoint_wal_mb: Annotated[int, Meta(ge=1, le=4096)] = 128
    checkpoint_s: Annotated[float, Meta(gt=0)] = 30.0
    roll_mb: Annotated[int, Meta(ge=1)] = 2048
    roll_rows: Annotated[int, Meta(ge=1)] = 100_000_000
    roll_daily: bool = True
    memory_mb: Annotated[int, Meta(ge=128)] = 1024
    threads: Annotated[int, Meta(ge=1, le=64)] = 1
