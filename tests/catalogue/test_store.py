"""The catalogue's folder: names, digests, records, and what writes over what."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.catalogue.digests import content_sha256
from tradingd.catalogue.errors import CatalogueError, DataDamagedError, DataRefusedError
from tradingd.catalogue.names import folder_name, parse_name
from tradingd.catalogue.records import Record, Step
from tradingd.catalogue.shapes import SCHEMAS, Kind
from tradingd.catalogue.store import Catalogue, new_record

HOUR = 3600 * 10**9


def bars(*closes: float, first: int = 0) -> pl.DataFrame:
    opened = [(first + hour) * HOUR for hour in range(len(closes))]
    columns = {"ts_open_ns": opened, "ts_close_ns": [ts + HOUR for ts in opened]}
    columns |= {name: list(closes) for name in ("open", "high", "low", "close")}
    return pl.DataFrame(columns | {"volume": [None] * len(closes)}, schema=SCHEMAS[Kind.BARS])


def record(instrument: str = "US:X", timeframe: str = "1h") -> Record:
    return new_record(instrument, Kind.BARS, timeframe, ())


@pytest.mark.parametrize(
    ("instrument", "folder"),
    [
        ("US:SPY", "US+SPY"),
        ("FX:EUR/USD", "FX+EUR%2FUSD"),
        ("CME:CL=F", "CME+CL%3DF"),
        ("A.B:../x", "A.B+..%2Fx"),
        ("A:B+C", "A+B%2BC"),
    ],
)
def test_an_instrument_is_one_folder_anywhere(instrument: str, folder: str) -> None:
    assert folder_name(instrument) == folder


symbols = st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters=":"), min_size=1, max_size=12)
venues = st.from_regex(r"\A[A-Za-z0-9_.-]{1,8}\Z")


@given(venues, symbols, venues, symbols)
def test_two_instruments_never_share_a_folder(venue: str, symbol: str, other_venue: str, other_symbol: str) -> None:
    one, other = folder_name(f"{venue}:{symbol}"), folder_name(f"{other_venue}:{other_symbol}")
    assert (one == other) == ((venue, symbol) == (other_venue, other_symbol))
    assert Path(one).name == one


@pytest.mark.parametrize("text", ["SPY", "US:", ":SPY", "US:SPY:X", "US:S PY", ""])
def test_what_is_no_instrument_is_said(text: str) -> None:
    with pytest.raises(CatalogueError, match="write it as VENUE:SYMBOL"):
        folder_name(text)


def test_names_as_people_write_them() -> None:
    assert [parse_name(text) for text in ("1m", "bars-1m", "trades")] == ["bars-1m", "bars-1m", "trades"]
    with pytest.raises(CatalogueError, match="no timeframe '7m'"):
        parse_name("7m")


def test_what_was_written_is_read(catalogue: Catalogue) -> None:
    frame = bars(1.0, 2.0, first=5)
    written = catalogue.write(record(), frame)
    assert written.changed
    assert catalogue.bars("US:X", "1h").equals(frame)
    (found,) = catalogue.records()
    assert found == written.record
    assert (found.rows, found.first_ts_ns, found.last_ts_ns) == (2, 5 * HOUR, 7 * HOUR)
    assert found.file_bytes == catalogue.path(found).stat().st_size
    assert json.loads(catalogue.path(found).with_suffix(".json").read_text())["instrument"] == "US:X"


def test_the_same_rows_change_nothing(catalogue: Catalogue) -> None:
    first = catalogue.write(record(), bars(1.0)).record
    times = catalogue.path(first).stat().st_mtime_ns
    again = catalogue.write(record(), bars(1.0))
    assert (again.changed, again.record) == (False, first)
    assert catalogue.path(first).stat().st_mtime_ns == times


def test_other_rows_want_to_be_asked_for(catalogue: Catalogue) -> None:
    catalogue.write(record(), bars(1.0))
    with pytest.raises(CatalogueError, match="--replace puts these 2 in their place"):
        catalogue.write(record(), bars(1.0, 2.0))
    assert len(catalogue.bars("US:X", "1h")) == 1
    assert catalogue.write(record(), bars(1.0, 2.0), over=True).changed
    assert len(catalogue.bars("US:X", "1h")) == 2


def test_another_session_of_the_same_rows_wants_to_be_asked_for(catalogue: Catalogue) -> None:
    def of(session: str | None) -> Record:
        return new_record("US:X", Kind.BARS, "1h", (), session)

    catalogue.write(of(None), bars(1.0))
    with pytest.raises(CatalogueError, match="these rows of US:X bars-1h with no session; --replace records a@UTC"):
        catalogue.write(of("a@UTC"), bars(1.0))
    assert catalogue.write(of("a@UTC"), bars(1.0), over=True).changed
    assert catalogue.record("US:X", "1h").session == "a@UTC"
    assert not catalogue.write(of(None), bars(1.0), over=True).changed
    with pytest.raises(CatalogueError, match="with session a@UTC; --replace records b@UTC"):
        catalogue.write(of("b@UTC"), bars(1.0))


def test_no_rows_are_not_written(catalogue: Catalogue) -> None:
    with pytest.raises(DataRefusedError, match="nothing is written"):
        catalogue.write(record(), bars())
    assert not catalogue.folder.exists()


def test_what_was_amended_is_kept_beside_under_the_next_number(catalogue: Catalogue) -> None:
    before = catalogue.write(record(), bars(1.0, 2.0, 3.0)).record
    first, kept = catalogue.amend(before, bars(1.0, 2.0), [Step(name="a", rows_before=3, rows_after=2)])
    second, kept_again = catalogue.amend(first, bars(1.0), [Step(name="b", rows_before=2, rows_after=1)])
    assert [step.name for step in second.steps] == ["a", "b"]
    assert [path.name for path in (kept, kept_again)] == ["bars-1h.before-1.parquet", "bars-1h.before-2.parquet"]
    assert [len(pl.read_parquet(path)) for path in (kept, kept_again)] == [3, 2]
    assert catalogue.records() == [second]


def test_a_changed_file_is_damage(catalogue: Catalogue) -> None:
    there = catalogue.write(record(), bars(1.0, 2.0)).record
    bars(1.0).write_parquet(catalogue.path(there))
    with pytest.raises(DataDamagedError, match="is not what its record describes"):
        catalogue.read(there)
    assert catalogue.write(record(), bars(1.0, 2.0), over=True).changed
    assert len(catalogue.read(there)) == 2
    catalogue.path(there).unlink()
    with pytest.raises(DataDamagedError, match="is missing"):
        catalogue.read(there)


def test_a_damaged_record_is_said_and_replaced_on_request(catalogue: Catalogue) -> None:
    file = catalogue.path(catalogue.write(record(), bars(1.0)).record).with_suffix(".json")
    file.write_text("{")
    with pytest.raises(DataDamagedError, match="is no record"):
        catalogue.records()
    with pytest.raises(DataDamagedError, match="is no record"):
        catalogue.write(record(), bars(1.0))
    assert catalogue.write(record(), bars(1.0), over=True).changed


def test_a_record_of_a_newer_version_is_not_guessed_at(catalogue: Catalogue) -> None:
    file = catalogue.path(catalogue.write(record(), bars(1.0)).record).with_suffix(".json")
    file.write_text(file.read_text().replace('"format": 1', '"format": 2'))
    for over in (False, True):
        with pytest.raises(CatalogueError, match="newer version: it has format 2, and this 1"):
            catalogue.write(record(), bars(2.0), over=over)


def test_a_misspelt_instrument_gets_a_suggestion(catalogue: Catalogue) -> None:
    catalogue.write(record("US:GOOG"), bars(1.0))
    with pytest.raises(CatalogueError, match="did you mean US:GOOG"):
        catalogue.of("US:GOGO")
    with pytest.raises(CatalogueError, match="it has US:GOOG"):
        catalogue.of("XETRA:BMW")
    with pytest.raises(CatalogueError, match="no bars-1m of US:GOOG; it has bars-1h"):
        catalogue.record("US:GOOG", "1m")


def test_where_there_is_no_catalogue_it_is_said(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="there is no catalogue"):
        catalogue.records()


values = st.none() | st.floats(allow_nan=False)


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), values), max_size=30), st.data())
def test_the_content_has_one_digest_and_any_change_another(
    rows: list[tuple[int, float | None]], data: st.DataObject
) -> None:
    schema = {"a": pl.Int64, "b": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    assert content_sha256(frame) == content_sha256(pl.concat([frame[:3], frame[3:]], rechunk=False))
    if rows:
        at = data.draw(st.integers(0, len(rows) - 1))
        other = [*rows[:at], (rows[at][0] + 1, rows[at][1]), *rows[at + 1 :]]
        assert content_sha256(pl.DataFrame(other, schema=schema, orient="row")) != content_sha256(frame)
    assert content_sha256(frame.rename({"a": "c"})) != content_sha256(frame)


def test_an_absent_value_is_not_a_zero() -> None:
    one, other = (pl.DataFrame({"a": [value]}, schema={"a": pl.Float64}) for value in (None, 0.0))
    assert content_sha256(one) != content_sha256(other)
