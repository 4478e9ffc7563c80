"""What stands beside each Parquet file: what it holds, where that came from, what was done to it."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tradingd.catalogue.names import data_name
from tradingd.catalogue.shapes import Kind

FORMAT = 1


class Source(Struct, frozen=True, kw_only=True):
    """A file that was read.

    columns    what is taken from which column of the file
    timezone   of times without an offset; None where there were none
    stamp      which end of a bar the file stamps; None for ticks
    where      COLUMN=VALUE of the rows that are this instrument's and of this kind; of a journal its id and how far
               it was read
    rejected   rows that could not be read
    others     rows of other instruments or kinds, or blank ones of a panel
    """

    file: str
    bytes: int
    sha256: str
    format: str
    columns: dict[str, str] = {}
    ts_format: str = ""
    timezone: str | None = None
    stamp: str | None = None
    where: str | None = None
    rows: int = 0
    rejected: int = 0
    others: int = 0


class Step(Struct, frozen=True, kw_only=True):
    """Something that was done to the rows."""

    name: str
    parameters: dict[str, Any] = {}
    rows_before: int
    rows_after: int


class Record(Struct, frozen=True, kw_only=True):
    """<name>.json.

    first_ts_ns, last_ts_ns   of the first bar's opening and the last one's close, or of the events
    file_sha256               of the Parquet file
    content_sha256            of its columns (digests.py), whatever wrote the file
    session                   when it trades, as `--session` takes it; None where that is not known
    """

    format: int = FORMAT
    instrument: str
    kind: Kind
    timeframe: str | None = None
    session: str | None = None
    rows: int
    first_ts_ns: int
    last_ts_ns: int
    file_bytes: int = 0
    file_sha256: str = ""
    content_sha256: str = ""
    sources: tuple[Source, ...] = ()
    steps: tuple[Step, ...] = ()

    def after(self, steps: Iterable[Step]) -> "Record":
        """The same with these steps behind it."""
        return replace(self, steps=(*self.steps, *steps))

    @property
    def name(self) -> str:
        return data_name(self.kind, self.timeframe)
