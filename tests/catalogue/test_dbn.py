"""Databento's files: a recorded one, read from its bytes as well, and others made record by record."""

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.catalogue import zstd_frames
from tradingd.catalogue.dbn import UNDEF_PRICE, UNDEF_TIMESTAMP, _decimals
from tradingd.catalogue.errors import CatalogueError, DataRefusedError
from tradingd.catalogue.importing import Imported
from tradingd.catalogue.shapes import Kind
from tradingd.catalogue.store import Catalogue
from tradingd.columns import AGGRESSOR_BUY, AGGRESSOR_SELL

dbn: Any = pytest.importorskip("databento_dbn", reason="pip install 'tradingd[dbn]'")

Bring = Callable[..., Imported]
Interval = tuple[date, date, str]
DAY_NS, MINUTE = 86_400 * 10**9, 60 * 10**9
MON, TUE, WED = date(2023, 12, 25), date(2023, 12, 26), date(2023, 12, 27)
T0 = (MON - date(1970, 1, 1)).days * DAY_NS
ONE: Mapping[str, Sequence[Interval]] = {"ESH4": [(MON, WED, "1")]}
MBO = "ticks/esh4-glbx-mdp3-20231225.mbo.dbn.zst"
# https://databento.com/docs/schemas/mbo: 56 bytes, little-endian
MBO_FIELDS = [
    ("length", "u1"), ("rtype", "u1"), ("publisher_id", "<u2"), ("instrument_id", "<u4"), ("ts_event", "<u8"),
    ("order_id", "<u8"), ("price", "<i8"), ("size", "<u4"), ("flags", "u1"), ("channel_id", "u1"), ("action", "S1"),
    ("side", "S1"), ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4"),
]  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Metadata and records, not compressed. Mappings: (first day, end, id) by symbol; of ids (..., symbol)."""

    def file(schema: str | None, *records: Any, mappings: Any = ONE, by: str = "raw_symbol") -> Path:
        metadata = dbn.Metadata(
            dataset="GLBX.MDP3",
            start=T0,
            end=T0 + 2 * DAY_NS,
            stype_in=dbn.SType.from_str(by),
            stype_out=dbn.SType.from_str("raw_symbol" if by == "instrument_id" else "instrument_id"),
            schema=schema and dbn.Schema.from_str(schema),
            symbols=list(mappings),
            mappings=[mapping(name, intervals) for name, intervals in mappings.items()],
        )
        path = tmp_path / "made.dbn"
        path.write_bytes(bytes(metadata) + b"".join(map(bytes, records)))
        return path

    return file


def mapping(name: str, intervals: Sequence[Interval]) -> Any:
    each = [SimpleNamespace(start_date=first, end_date=end, symbol=symbol) for first, end, symbol in intervals]
    return SimpleNamespace(raw_symbol=name, intervals=each)


def px(text: str) -> int:
    return int(Decimal(text).scaleb(9))


def bar(ts_ns: int, *prices: int, number: int = 1, rtype: int = 33) -> Any:
    return dbn.OHLCVMsg(rtype, 1, number, ts_ns, *prices, 10)


def flat(ts_ns: int, price: str = "5", **more: int) -> Any:
    return bar(ts_ns, *[px(price)] * 4, **more)


def trade(ts_ns: int, price: int, side: str) -> Any:
    return dbn.TradeMsg(1, 1, ts_ns, price, 3, dbn.Action.TRADE, dbn.Side(side), 0, T0 + 7)


def book(action: str, ts_ns: int, bid: int, ask: int) -> Any:
    """Sizes of 2 and 4; an undefined side has 0."""
    level = dbn.BidAskPair(bid, ask, 2 * (bid != UNDEF_PRICE), 4 * (ask != UNDEF_PRICE))
    return dbn.MBP1Msg(1, 1, ts_ns, px("5"), 3, dbn.Action(action), dbn.Side.ASK, 0, ts_recv=ts_ns + 7, levels=level)


# --- the recorded file ------------------------------------------------------------------------------------------------


@pytest.mark.realdata
def test_the_trades_of_a_recorded_book_are_those_of_its_bytes(
    realdata: Path, bring: Bring, catalogue: Catalogue
) -> None:
    done = bring(realdata / MBO, format="dbn", strict=True)
    decoder = dbn.DBNDecoder(compression=dbn.Compression.ZSTD)
    decoder.write((realdata / MBO).read_bytes())
    raw = np.frombuffer(b"".join(bytes(each) for each in decoder.decode()[1:]), MBO_FIELDS)
    traded = raw[raw["action"] == b"T"]
    assert (len(raw), len(traded), done.read, done.others) == (68_792, 2973, 68_792, 68_792 - 2973)
    found = catalogue.read(done.record)
    assert found["ts_event_ns"].to_list() == traded["ts_event"].tolist()
    assert found["ts_received_ns"].to_list() == traded["ts_recv"].tolist()
    assert found["price"].to_list() == [float(Decimal(price).scaleb(-9)) for price in traded["price"].tolist()]
    assert found["size"].to_list() == traded["size"].tolist()
    sides = {b"B": AGGRESSOR_BUY, b"A": AGGRESSOR_SELL, b"N": 0}
    assert found["flags"].to_list() == [sides[side] for side in traded["side"].tolist()]


@pytest.mark.realdata
def test_what_is_known_of_the_recorded_hour(realdata: Path, bring: Bring, catalogue: Catalogue) -> None:
    """The opening auction of Christmas Day: 44 lots at 4800.25, whose side nobody is."""
    found = catalogue.read(bring(realdata / MBO, format="dbn", where=("symbol", "ESH4")).record)
    assert found.row(0) == (1_703_545_200_000_000_000, 1_703_545_200_105_900_877, 4800.25, 44.0, 0)
    assert found["size"].sum() == 9892
    assert set((found["price"] * 4 % 1).to_list()) == {0.0}


@pytest.mark.realdata
@pytest.mark.parametrize("cut", [-1, -5, 100_000, 500_000])
def test_a_file_that_is_cut_is_told(realdata: Path, bring: Bring, tmp_path: Path, cut: int) -> None:
    part = tmp_path / "part.dbn.zst"
    part.write_bytes((realdata / MBO).read_bytes()[:cut])
    with pytest.raises(DataRefusedError, match="the file ends in the middle of its records"):
        bring(part, format="dbn", strict=True)


@pytest.mark.realdata
def test_a_frame_is_whole_with_its_last_byte_only(realdata: Path) -> None:
    whole = (realdata / MBO).read_bytes()
    assert zstd_frames.are_whole(io.BytesIO(whole))
    assert zstd_frames.are_whole(io.BytesIO(whole + whole))
    assert not any(zstd_frames.are_whole(io.BytesIO(whole[:cut])) for cut in range(1, len(whole), 997))
    assert not zstd_frames.are_whole(io.BytesIO(whole + b"more"))


@pytest.mark.realdata
def test_a_damaged_file_is_told(realdata: Path, bring: Bring, tmp_path: Path) -> None:
    content = bytearray((realdata / MBO).read_bytes())
    content[500_000] ^= 255
    (tmp_path / "bad.dbn.zst").write_bytes(content)
    with pytest.raises((CatalogueError, DataRefusedError), match="can not be read"):
        bring(tmp_path / "bad.dbn.zst", format="dbn", strict=True)


# --- what becomes of each schema --------------------------------------------------------------------------------------


def test_bars_are_of_the_length_that_the_schema_says(
    bring: Bring, catalogue: Catalogue, file: Callable[..., Path]
) -> None:
    prices = [px(text) for text in ("1.107750001", "1.2", "-37.63", "0.1")]
    done = bring(file("ohlcv-1m", bar(T0 + MINUTE, *prices)), format="dbn")
    assert catalogue.bars("US:X", "1m").rows() == [(T0 + MINUTE, T0 + 2 * MINUTE, 1.107750001, 1.2, -37.63, 0.1, 10.0)]
    (source,) = done.record.sources
    assert (source.stamp, source.columns["ts"], source.timezone) == ("open", "ts_event", "UTC")
    with pytest.raises(CatalogueError, match="these are bars of 1m; leave --timeframe out"):
        bring(file("ohlcv-1m", flat(T0)), format="dbn", timeframe="5m")


def test_files_of_bars_of_several_lengths_are_not_mixed(
    bring: Bring, catalogue: Catalogue, file: Callable[..., Path]
) -> None:
    minutes = file("ohlcv-1m", flat(T0)).rename(catalogue.folder.parent / "minutes.dbn")
    with pytest.raises(CatalogueError, match=r"made\.dbn holds bars-1h, .*minutes\.dbn bars-1m; import them one after"):
        bring(minutes, file("ohlcv-1h", flat(T0, rtype=34)), format="dbn")


def test_days_are_those_of_utc(bring: Bring, catalogue: Catalogue, file: Callable[..., Path]) -> None:
    days = file("ohlcv-1d", flat(T0, rtype=35), flat(T0 + DAY_NS, rtype=35))
    bring(days, format="dbn", session="mon-fri")
    assert catalogue.bars("US:X", "1d")["ts_close_ns"].to_list() == [T0 + DAY_NS, T0 + 2 * DAY_NS]
    for said in ({"session": "09:30-16:00"}, {"session": "@America/New_York"}, {"timezone": "America/New_York"}):
        with pytest.raises(CatalogueError, match="days of the format dbn are those of UTC, from midnight to midnight"):
            bring(days, format="dbn", **said)


def test_a_bar_without_a_price_is_rejected(bring: Bring, file: Callable[..., Path]) -> None:
    done = bring(file("ohlcv-1s", flat(T0), bar(T0, px("1"), px("1"), UNDEF_PRICE, px("1"))), format="dbn")
    assert (done.record.rows, done.rejections.reasons) == (1, {"low is empty": 1})


def test_trades_say_who_came(bring: Bring, catalogue: Catalogue, file: Callable[..., Path]) -> None:
    records = [trade(T0 + n, px(f"{n}.25"), side) for n, side in enumerate("BAN", start=1)]
    bring(file("trades", *records, trade(UNDEF_TIMESTAMP, 1, "B"), trade(T0, UNDEF_PRICE, "B")), format="dbn")
    record = catalogue.record("US:X", "trades")
    assert catalogue.read(record).rows() == [
        (T0 + 1, T0 + 7, 1.25, 3.0, AGGRESSOR_BUY),
        (T0 + 2, T0 + 7, 2.25, 3.0, AGGRESSOR_SELL),
        (T0 + 3, T0 + 7, 3.25, 3.0, 0),
    ]
    assert record.sources[0].rejected == 2


def test_a_book_is_quotes_and_on_request_its_trades(
    bring: Bring, catalogue: Catalogue, file: Callable[..., Path]
) -> None:
    path = file("mbp-1", book("A", T0 + 1, px("4.75"), px("5")), book("T", T0 + 2, px("4.75"), UNDEF_PRICE))
    bring(path, format="dbn")
    assert catalogue.read(catalogue.record("US:X", "quotes")).rows() == [
        (T0 + 1, T0 + 8, 4.75, 2.0, 5.0, 4.0, 0),
        (T0 + 2, T0 + 9, 4.75, 2.0, None, None, 0),
    ]
    done = bring(path, format="dbn", kind=Kind.TRADES)
    assert catalogue.read(done.record).rows() == [(T0 + 2, T0 + 9, 5.0, 3.0, AGGRESSOR_SELL)]
    assert (done.others, done.record.sources[0].where) == (1, "action=T")


def test_a_quote_of_an_interval_is_from_its_end(bring: Bring, catalogue: Catalogue, file: Callable[..., Path]) -> None:
    level = dbn.BidAskPair(px("4.75"), px("5"), 2, 4)
    end = T0 + 10**9
    record = dbn.BBOMsg(195, 1, 1, UNDEF_TIMESTAMP, UNDEF_PRICE, 0, dbn.Side.NONE, end, levels=level)
    done = bring(file("bbo-1s", record), format="dbn", strict=True)
    assert catalogue.read(done.record).rows() == [(end, end, 4.75, 2.0, 5.0, 4.0, 0)]


@given(st.integers(-(2**63), 2**63 - 2))
def test_a_price_is_the_nearest_float_of_its_decimal(fixed: int) -> None:
    assert _decimals([fixed, UNDEF_PRICE]).to_list() == [float(Decimal(fixed).scaleb(-9)), None]


# --- symbols ----------------------------------------------------------------------------------------------------------

TWO = {"ESH4": [(MON, TUE, "1"), (TUE, WED, "2")], "ESM4": [(MON, TUE, "2"), (TUE, WED, "1")]}


def closes(catalogue: Catalogue) -> list[float]:
    found: list[float] = catalogue.bars("US:X", "1m")["close"].to_list()
    return found


def test_symbols_are_those_of_the_day(bring: Bring, catalogue: Catalogue, file: Callable[..., Path]) -> None:
    """Ids are given anew: on Tuesday each is the other's."""
    rows = [flat(T0, "1", number=1), flat(T0, "2", number=2)]
    rows += [flat(T0 + DAY_NS, "3", number=1), flat(T0 + DAY_NS, "4", number=2)]
    path = file("ohlcv-1m", *rows, mappings=TWO)
    done = bring(path, format="dbn", where=("symbol", "ESH4"))
    assert (closes(catalogue), done.others) == ([1.0, 4.0], 2)
    bring(path, format="dbn", where=("symbol", "ESM4"), replace=True)
    assert closes(catalogue) == [2.0, 3.0]
    with pytest.raises(CatalogueError, match="several symbols, ESH4 and ESM4 among them; --where symbol=ESH4 takes"):
        bring(path, format="dbn", replace=True)
    assert closes(catalogue) == [2.0, 3.0]


def test_an_id_may_be_what_was_asked_for_or_stand_for_itself(
    bring: Bring, catalogue: Catalogue, file: Callable[..., Path]
) -> None:
    rows = [flat(T0, "1", number=1), flat(T0, "2", number=2)]
    path = file("ohlcv-1m", *rows, mappings={"1": [(MON, TUE, "ESH4")]}, by="instrument_id")
    bring(path, format="dbn", where=("symbol", "ESH4"))
    assert closes(catalogue) == [1.0]
    for where in (("symbol", "2"), ("instrument_id", "2")):
        bring(path, format="dbn", where=where, replace=True)
        assert closes(catalogue) == [2.0]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_what_is_no_data_of_one_schema_is_refused(bring: Bring, file: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"made\.dbn holds several schemas, as a live recording does"):
        bring(file(None), format="dbn")
    with pytest.raises(CatalogueError, match="holds statistics, which is neither bars, trades nor quotes"):
        bring(file("statistics"), format="dbn")
    with pytest.raises(CatalogueError, match="holds no quotes, but trades; leave --kind out"):
        bring(file("trades", trade(T0, 1, "B")), format="dbn", kind=Kind.QUOTES)
    (tmp_path / "a.csv").write_text("ts_event,open\n")
    with pytest.raises(CatalogueError, match=r"a\.csv is no DBN file; --format says what it is"):
        bring(tmp_path / "a.csv", format="dbn")
    with pytest.raises(CatalogueError, match="begins like a DBN file; import it with --format dbn"):
        bring(file("trades"), format="csv")


@pytest.mark.parametrize(
    "content", [b"DBN", b"DBN\x03\xff\xff\xff\x7f", b"\x28\xb5\x2f\xfd", b"DBN\x63\x00\x00\x00\x00"]
)
def test_a_beginning_alone_is_refused(bring: Bring, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.dbn").write_bytes(content)
    with pytest.raises(CatalogueError, match=r"a\.dbn can not be read as DBN; is it whole\?"):
        bring(tmp_path / "a.dbn", format="dbn")


def test_a_record_that_is_cut_is_told(bring: Bring, file: Callable[..., Path]) -> None:
    path = file("ohlcv-1m", flat(T0), flat(T0 + MINUTE))
    path.write_bytes(path.read_bytes()[:-3])
    done = bring(path, format="dbn")
    assert (done.record.rows, done.rejections.reasons) == (1, {"the file ends in the middle of its records": 1})
    with pytest.raises(DataRefusedError, match="and --strict allows none"):
        bring(path, format="dbn", strict=True, replace=True)
