"""Tick files as a feed: everything that can be wrong with the settings is found before it starts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from tradingd.feeds.checks import price_floors
from tradingd.feeds.contract import FeedConfigError
from tradingd.feeds.feed import RowFeed
from tradingd.feeds.files.mapping import Mapper
from tradingd.feeds.files.tables import Table, open_table
from tradingd.feeds.inputs import inputs_of
from tradingd.feeds.merge import merge
from tradingd.feeds.reading import FileDamagedError, check_readable
from tradingd.feeds.rows import Rows
from tradingd.feeds.settings import FileSettings, TickFile
from tradingd.feeds.times import Text, checked_times, time_limits
from tradingd.instruments import Instrument


def file_feed(
    settings: FileSettings, source: int, instruments: Sequence[Instrument], base_dir: Path, now_ns: int
) -> RowFeed:
    """Raises FeedConfigError where a file, a column or an instrument is missing, or a mapping makes no sense."""
    indexes = {instrument.id: index for index, instrument in enumerate(instruments)}
    floors, limits = price_floors(instruments), time_limits(settings, now_ns)
    paths = [base_dir / spec.path for spec in settings.files]
    tables = [
        _checked_table(spec, path, settings.name, indexes) for spec, path in zip(settings.files, paths, strict=True)
    ]

    def rows(_resume_after: int) -> tuple[int, Iterator[Rows]]:
        mappers = [
            Mapper(spec, file=number, instruments=indexes, floors=floors) for number, spec in enumerate(settings.files)
        ]
        streams = [
            checked_times(_file_rows(table, mapper, _used(spec)), limits)
            for table, mapper, spec in zip(tables, mappers, settings.files, strict=True)
        ]
        return 0, merge(streams, rows_ahead=settings.batch_rows)

    names = [path.name for path in paths]
    return RowFeed(settings.name, source, settings.batch_rows, rows, inputs_of(settings, paths), names)


def _file_rows(table: Table, mapper: Mapper, used: Sequence[str]) -> Iterator[tuple[Rows, Text]]:
    try:
        for piece in table.pieces(used):
            yield mapper.rows(piece), piece.text
    except FileDamagedError as damage:
        yield mapper.damaged(str(damage)), lambda _: ""


def _used(spec: TickFile) -> list[str]:
    """Columns that the mapping names, each once."""
    names = [getattr(spec.columns, key) for key in spec.columns.__struct_fields__]
    return list(dict.fromkeys(name for name in [*names, spec.ineligible] if name is not None))


def _checked_table(spec: TickFile, path: Path, feed: str, indexes: Mapping[str, int]) -> Table:
    check_readable(path, feed)
    _check_mapping(spec, path, feed)
    if spec.instrument is not None and spec.instrument not in indexes:
        raise FeedConfigError(f"feed {feed}: instrument {spec.instrument} is not declared; add it to the instruments")
    table = open_table(path, feed)
    for name in _used(spec):
        if table.columns.count(name) != 1:
            count = "no column" if name not in table.columns else "more than one column"
            raise FeedConfigError(f"feed {feed}: {path} has {count} {name!r}; it has {', '.join(table.columns)}")
    _check_has_rows(table, path, feed, spec)
    return table


def _check_mapping(spec: TickFile, path: Path, feed: str) -> None:
    columns = spec.columns
    quotes = columns.bid is not None or columns.ask is not None
    if quotes == (columns.price is not None):
        raise FeedConfigError(f"feed {feed}: {path}: map either `price` (trades), or `bid` and/or `ask` (quotes)")
    if (spec.instrument is None) == (columns.symbol is None) or (spec.venue is None) != (columns.symbol is None):
        raise FeedConfigError(
            f"feed {feed}: {path}: give either `instrument`, or `venue` together with the column `symbol`"
        )


def _check_has_rows(table: Table, path: Path, feed: str, spec: TickFile) -> None:
    """A file of a header alone is a mistake; so is a column of times that are no whole numbers."""
    try:
        piece = next(iter(table.pieces(_used(spec))), None)
    except FileDamagedError as damage:
        raise FeedConfigError(f"feed {feed}: {path}: {damage}") from damage
    if piece is None:
        raise FeedConfigError(f"feed {feed}: {path} has no rows; remove it from `files`")
    for name in (spec.columns.ts_event, spec.columns.ts_received):
        if name is not None and not _may_be_time(piece.frame[name].dtype):
            kind = piece.frame[name].dtype
            raise FeedConfigError(f"feed {feed}: {path}: times in {name!r} are {kind}; write them as int64 or datetime")


def _may_be_time(dtype: pl.DataType) -> bool:
    return dtype.is_integer() or isinstance(dtype, pl.Datetime | pl.String)
