"""Databento's DBN files as tables. What a field means is in https://databento.com/docs/standards-and-conventions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from tradingd.catalogue import zstd_frames
from tradingd.catalogue.errors import CatalogueError
from tradingd.feeds.files.tables import Piece
from tradingd.feeds.reading import FileDamagedError
from tradingd.instruments import DAY_NS

MAGIC = b"DBN"
CHUNK_BYTES = 1 << 20
UNDEF_PRICE, UNDEF_TIMESTAMP = 2**63 - 1, 2**64 - 1
PRICE_SCALE = 10**9
EPOCH = date(1970, 1, 1)

OHLCV = {f"ohlcv-{timeframe}": timeframe for timeframe in ("1s", "1m", "1h", "1d")}
TICKS = ("trades", "mbo")
BOOKS = ("mbp-1", "mbp-10", "tbbo", "cmbp-1", "tcbbo")
# ts_event is of the last trade there, if any; the quote is that of ts_recv, the interval's end
INTERVALS = ("bbo-1s", "bbo-1m", "cbbo-1s", "cbbo-1m")
SCHEMAS = (*OHLCV, *TICKS, *BOOKS, *INTERVALS)

Records = Sequence[Any]
Column = Callable[[Records], pl.Series]


class DbnTable:
    """One file, compressed or not, of one schema.

    Columns by schema: ts_event, ts_recv (ns; null where undefined), instrument_id, symbol (by the metadata; the id
    where they have none), and open, high, low, close, volume; or action, side, price, size; or bid_px_00, bid_sz_00,
    ask_px_00, ask_sz_00. Bars have a column that is called like their schema. Prices are the nearest floats of the
    exact decimals, null where undefined.

    Raises CatalogueError where the package is missing, the file is no DBN, or its schema has no place here.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _File(path)
        metadata = self._file.metadata()
        self._columns = _columns(_schema(path, metadata), _Symbols(metadata))
        self.columns = list(self._columns)

    def pieces(self, used: Sequence[str]) -> Iterator[Piece]:
        """Raises CatalogueError where rows of several symbols would become one's."""
        chooses = {"symbol", "instrument_id"} & set(used)
        line, seen = 1, set[str]()
        for records in self._file.records():
            frame = pl.DataFrame({name: self._columns[name](records) for name in dict.fromkeys([*used, "symbol"])})
            seen.update(frame["symbol"].unique().to_list())
            if len(seen) > 1 and not chooses:
                raise CatalogueError(_several(seen))
            yield Piece(frame.select(used), line, partial(_row_text, frame))
            line += len(records)


class _File:
    """Decodes piece by piece."""

    def __init__(self, path: Path) -> None:
        try:
            import databento_dbn
        except ModuleNotFoundError as error:
            raise CatalogueError(f"{path} needs a package to be read; pip install 'tradingd[dbn]'") from error
        with path.open("rb") as file:
            start = file.read(4)
        if not start.startswith((MAGIC, zstd_frames.MAGIC)):
            raise CatalogueError(f"{path} is no DBN file; --format says what it is")
        self._path = path
        self._dbn = databento_dbn
        self._is_packed = start.startswith(zstd_frames.MAGIC)

    def metadata(self) -> Any:
        try:
            return next(self._decoded())[0]
        except (FileDamagedError, StopIteration) as error:
            raise CatalogueError(f"{self._path} can not be read as DBN; is it whole? ({error})") from error

    def records(self) -> Iterator[Records]:
        """Raises FileDamagedError."""
        for number, decoded in enumerate(self._decoded()):
            records = decoded[1:] if number == 0 else decoded
            if records:
                yield records

    def _decoded(self) -> Iterator[Records]:
        """The first one begins with the metadata."""
        packing = self._dbn.Compression.ZSTD if self._is_packed else self._dbn.Compression.NONE
        decoder = self._dbn.DBNDecoder(compression=packing)
        with self._path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                if decoded := self._decode(decoder, chunk):
                    yield decoded
            if decoder.buffer() or (self._is_packed and not zstd_frames.are_whole(file)):
                raise FileDamagedError("the file ends in the middle of its records")

    def _decode(self, decoder: Any, chunk: bytes) -> Records:
        try:
            decoder.write(chunk)
            decoded: Records = decoder.decode()
        except (self._dbn.DBNError, RuntimeError) as error:  # of the records, of their packing
            raise FileDamagedError(f"the file can not be read any further: {error}") from error
        return decoded


def _schema(path: Path, metadata: Any) -> str:
    schema = None if metadata.schema is None else str(metadata.schema)
    if schema is None:
        raise CatalogueError(f"{path} holds several schemas, as a live recording does; import files of one schema")
    if schema not in SCHEMAS:
        raise CatalogueError(f"{path} holds {schema}, which is neither bars, trades nor quotes; those are {_LISTED}")
    return schema


_LISTED = ", ".join(SCHEMAS)


def _row_text(frame: pl.DataFrame, row: int) -> str:
    return str(frame.row(row, named=True))


def _several(symbols: set[str]) -> str:
    first, second = sorted(symbols)[:2]
    return f"the file holds several symbols, {first} and {second} among them; --where symbol={first} takes one"


class _Symbols:
    """Which symbol an instrument id stood for on a day in UTC."""

    def __init__(self, metadata: Any) -> None:
        is_by_id = str(metadata.stype_in) == "instrument_id"
        self._intervals: dict[str, list[tuple[int, int, str]]] = {}
        for named, intervals in metadata.mappings.items():
            for each in intervals:
                number, symbol = (named, each["symbol"]) if is_by_id else (each["symbol"], named)
                days = _day(each["start_date"]), _day(each["end_date"])
                self._intervals.setdefault(number, []).append((*days, symbol))
        self._known: dict[tuple[int, int], str] = {}

    def of(self, instrument_id: int, ts_ns: int) -> str:
        """The id itself where the file does not say; ends of intervals are excluded."""
        key = instrument_id, ts_ns // DAY_NS
        if key not in self._known:
            intervals = self._intervals.get(str(instrument_id), [])
            names = [symbol for first, end, symbol in intervals if first <= key[1] < end]
            self._known[key] = names[0] if names else str(instrument_id)
        return self._known[key]


def _day(when: date) -> int:
    return (when - EPOCH).days


# --- columns ----------------------------------------------------------------------------------------------------------


def _columns(schema: str, symbols: _Symbols) -> Mapping[str, Column]:
    """A column of records by its name."""
    at = "ts_event" if schema in OHLCV else "ts_recv"

    def symbol(records: Records) -> pl.Series:
        return pl.Series([symbols.of(each.instrument_id, getattr(each, at)) for each in records], dtype=pl.String)

    common: dict[str, Column] = {"symbol": symbol, "instrument_id": _whole("instrument_id")}
    if schema in OHLCV:
        prices = {name: _price(name) for name in ("open", "high", "low", "close")}
        return common | {"ts_event": _time("ts_event"), **prices, "volume": _whole("volume"), schema: _whole("rtype")}
    trade = {"action": _text("action"), "side": _side, "price": _price("price"), "size": _whole("size")}
    if schema in INTERVALS:
        return common | {"ts_recv": _time("ts_recv")} | _TOP
    times = {"ts_event": _time("ts_event"), "ts_recv": _time("ts_recv")}
    return common | times | trade | (_TOP if schema in BOOKS else {})


def _whole(name: str) -> Column:
    return lambda records: pl.Series([int(getattr(each, name)) for each in records], dtype=pl.UInt64)


def _text(name: str) -> Column:
    return lambda records: pl.Series([str(getattr(each, name)) for each in records], dtype=pl.String)


def _side(records: Records) -> pl.Series:
    """Whose order arrived and traded: an ask sells."""
    sides = {"A": "sell", "B": "buy", "N": ""}
    return pl.Series([sides[str(each.side)] for each in records], dtype=pl.String)


def _time(name: str) -> Column:
    def times(records: Records) -> pl.Series:
        ts = (getattr(each, name) for each in records)
        return pl.Series([None if at == UNDEF_TIMESTAMP else at for at in ts], dtype=pl.Int64)

    return times


def _price(name: str) -> Column:
    return lambda records: _decimals([getattr(each, name) for each in records])


def _top(name: str) -> Column:
    return lambda records: _decimals([getattr(each.levels[0], name) for each in records])


def _top_size(name: str) -> Column:
    return lambda records: pl.Series([getattr(each.levels[0], name) for each in records], dtype=pl.UInt64)


_TOP: dict[str, Column] = {
    "bid_px_00": _top("bid_px"),
    "bid_sz_00": _top_size("bid_sz"),
    "ask_px_00": _top("ask_px"),
    "ask_sz_00": _top_size("ask_sz"),
}


def _decimals(fixed: Sequence[int]) -> pl.Series:
    """Of whole billionths. Python divides whole numbers to the nearest float, NumPy would round them first."""
    return pl.Series([None if price == UNDEF_PRICE else price / PRICE_SCALE for price in fixed], dtype=pl.Float64)
