"""Bars and ticks that a journal recorded, into the catalogue."""

from pathlib import Path

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.importing import Imported, Rejections, Tally, refuse_where
from tradingd.catalogue.names import check_instrument
from tradingd.catalogue.records import Source
from tradingd.catalogue.sessions import session_text
from tradingd.catalogue.shapes import SCHEMAS, Kind, timeframe_ns
from tradingd.catalogue.store import Catalogue, new_record
from tradingd.columns import QUOTE, TIMEFRAMES, TRADE
from tradingd.core.settings import decode_settings
from tradingd.events import RunStarted
from tradingd.instruments import Instrument
from tradingd.journal.reader import JournalReader

JOURNAL = "journal"
_TIMES = "ts_event_ns, ts_received_ns"
_TICKS = {
    Kind.TRADES: f"SELECT {_TIMES}, price, size, flags FROM ticks WHERE kind = {TRADE}",
    Kind.QUOTES: (
        f"SELECT {_TIMES}, price AS bid, size AS bid_size, ask_price AS ask, ask_size, flags "
        f"FROM ticks WHERE kind = {QUOTE}"
    ),
}
_BARS = "SELECT ts_open_ns, ts_close_ns, open, high, low, close, volume FROM bars WHERE timeframe = {}"


def import_journal(
    catalogue: Catalogue, reader: JournalReader, folder: Path, instrument: str, kind: Kind, timeframe: str | None,
    *, replace: bool,
) -> Imported:  # fmt: skip
    """In the order of the journal. Raises CatalogueError, DataRefusedError, JournalError, OSError."""
    check_instrument(instrument)
    if (kind is Kind.BARS) != (timeframe is not None):
        raise CatalogueError("say what of the journal: --timeframe 1m for its bars, or --kind trades or --kind quotes")
    index, known = _index(reader, instrument, folder)
    frame = reader.sql(f"{_query(kind, timeframe)} AND instrument = {index} ORDER BY seq").cast(SCHEMAS[kind])
    refuse_where(Tally(), frame, str(folder), strict=False)
    record = new_record(
        instrument, kind, timeframe, (_source(reader, folder, len(frame)),), session_text(known.session)
    )
    written = catalogue.write(record, frame, over=replace)
    return Imported(written.record, catalogue.path(record), written.changed, len(frame), 0, Rejections([], {}))


def _query(kind: Kind, timeframe: str | None) -> str:
    if timeframe is None:
        return _TICKS[kind]
    timeframe_ns(timeframe)
    return _BARS.format(TIMEFRAMES.index(timeframe))


def _index(reader: JournalReader, instrument: str, folder: Path) -> tuple[int, Instrument]:
    started = next((event.body for event in reader.events(RunStarted)), None)
    instruments = decode_settings(started.config).instruments if isinstance(started, RunStarted) else ()
    for index, known in enumerate(instruments):
        if known.id == instrument:
            return index, known
    there = ", ".join(known.id for known in instruments) or "none"
    raise CatalogueError(f"{folder} has no instrument {instrument}; it has {there}")


def _source(reader: JournalReader, folder: Path, rows: int) -> Source:
    """A journal is named by its id and its head's digest, which covers every row of it."""
    head = reader.head
    return Source(
        file=folder.name,
        bytes=sum(path.stat().st_size for _, path in reader.files()),
        sha256=head.digest.hex(),
        format=JOURNAL,
        where=f"journal {reader.id}, seq 1 to {reader.last_seq}",
        rows=rows,
    )
