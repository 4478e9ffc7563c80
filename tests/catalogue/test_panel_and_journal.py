"""Wide files, and journals."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from audited_day import play_day

from tradingd.catalogue.errors import CatalogueError, DataRefusedError
from tradingd.catalogue.from_journal import import_journal
from tradingd.catalogue.panel import import_panel
from tradingd.catalogue.plan import Asked
from tradingd.catalogue.shapes import SCHEMAS, Kind
from tradingd.catalogue.store import Catalogue
from tradingd.journal.reader import JournalReader

Csv = Callable[..., Path]
PANEL = Asked("panel", "1d", "open", "America/New_York", columns={"ts": "Date"})


def panel(catalogue: Catalogue, file: Path, instruments: str = "US:*", asked: Asked = PANEL) -> None:
    import_panel(catalogue, file, instruments, asked, replace=False, strict=False)


def test_each_column_is_an_instrument_and_blanks_are_none_of_its_bars(catalogue: Catalogue, csv: Csv) -> None:
    file = csv("2020-01-02,,1", "2020-01-03,5,2", "2020-01-06,x,3", header="Date,NEW,CL=F")
    panel(catalogue, file)
    new, old = (catalogue.bars(name, "1d") for name in ("US:NEW", "US:CL=F"))
    assert (new["close"].to_list(), old["close"].to_list()) == ([5], [1, 2, 3])
    assert new["high"].to_list() == [None]
    (source,) = catalogue.record("US:NEW", "1d").sources
    assert (source.rows, source.rejected, source.others) == (1, 1, 1)


@pytest.mark.parametrize(
    ("instruments", "columns", "said"),
    [
        ("US:X", {"ts": "Date"}, r"--instrument 'US:\*'"),
        ("US:*", {}, "--columns ts=Date"),
        ("US:*", {"ts": "Day"}, "--columns ts=Date"),
    ],
)
def test_what_a_panel_needs_is_said(
    catalogue: Catalogue, csv: Csv, instruments: str, columns: dict[str, str], said: str
) -> None:
    with pytest.raises(CatalogueError, match=said):
        panel(
            catalogue,
            csv("2020-01-02,1", header="Date,A"),
            instruments,
            Asked("panel", "1d", "open", "UTC", columns=columns),
        )


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return play_day(tmp_path_factory.mktemp("day"))


@pytest.fixture
def reader(journal: Path) -> Iterator[JournalReader]:
    with JournalReader.open(journal) as reader:
        yield reader


QUERIES = {
    Kind.BARS: "SELECT ts_open_ns, ts_close_ns, open, high, low, close, volume FROM bars WHERE timeframe = 1",
    Kind.TRADES: "SELECT ts_event_ns, ts_received_ns, price, size, flags FROM ticks WHERE kind = 1",
    Kind.QUOTES: (
        "SELECT ts_event_ns, ts_received_ns, price, size, ask_price, ask_size, flags FROM ticks WHERE kind = 2"
    ),
}


@pytest.mark.parametrize("kind", list(Kind))
def test_what_a_journal_recorded_is_imported_row_by_row(
    catalogue: Catalogue, reader: JournalReader, journal: Path, kind: Kind
) -> None:
    timeframe = "1m" if kind is Kind.BARS else None
    done = import_journal(catalogue, reader, journal, "SIM:BETA", kind, timeframe, replace=False)
    expected = reader.sql(f"{QUERIES[kind]} AND instrument = 1 ORDER BY seq")
    found = catalogue.read(done.record)
    assert len(found) > 5
    assert found.rows() == expected.rows()
    assert found.schema == SCHEMAS[kind]
    (source,) = done.record.sources
    assert (source.format, source.rows, source.sha256) == ("journal", len(found), reader.head.digest.hex())
    assert done.record.session == "mon-sun/00:00-00:00@UTC"
    assert not import_journal(catalogue, reader, journal, "SIM:BETA", kind, timeframe, replace=False).changed


def test_what_a_journal_has_not_is_said(catalogue: Catalogue, reader: JournalReader, journal: Path) -> None:
    with pytest.raises(CatalogueError, match="no instrument SIM:GAMA; it has SIM:ALFA, SIM:BETA"):
        import_journal(catalogue, reader, journal, "SIM:GAMA", Kind.TRADES, None, replace=False)
    with pytest.raises(CatalogueError, match="--timeframe 1m for its bars"):
        import_journal(catalogue, reader, journal, "SIM:ALFA", Kind.BARS, None, replace=False)
    with pytest.raises(DataRefusedError, match="nothing to import"):
        import_journal(catalogue, reader, journal, "SIM:ALFA", Kind.BARS, "1d", replace=False)


def test_recorded_trades_make_the_recorded_bars(catalogue: Catalogue, reader: JournalReader, journal: Path) -> None:
    from tradingd.catalogue.resample import resample

    trades = catalogue.read(
        import_journal(catalogue, reader, journal, "SIM:ALFA", Kind.TRADES, None, replace=False).record
    )
    bars = catalogue.read(import_journal(catalogue, reader, journal, "SIM:ALFA", Kind.BARS, "1m", replace=False).record)
    made = resample(trades, Kind.TRADES, None, "1m", None, keep_partial=True).bars
    assert made.filter(pl.col("ts_open_ns").is_in(bars["ts_open_ns"].to_list())).equals(bars)
    assert len(bars) > 5
