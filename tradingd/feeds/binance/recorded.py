"""Recorded Binance frames: files of `<receive time, ns> <frame>` lines, merged by receive time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tradingd.feeds.binance.chunk import frame_text
from tradingd.feeds.binance.parse import FrameParser
from tradingd.feeds.binance.sequence import IdSequence
from tradingd.feeds.checks import faults_of, price_floors
from tradingd.feeds.feed import RowFeed
from tradingd.feeds.inputs import inputs_of
from tradingd.feeds.merge import merge
from tradingd.feeds.reading import FileDamagedError, check_readable, line_chunks
from tradingd.feeds.rows import Rows
from tradingd.feeds.settings import BinanceRecordedSettings
from tradingd.feeds.times import Text, checked_times, time_limits
from tradingd.instruments import Instrument


def recorded_feed(
    settings: BinanceRecordedSettings, source: int, instruments: Sequence[Instrument], base_dir: Path, now_ns: int
) -> RowFeed:
    """Raises FeedConfigError where a file is missing, empty or unreadable."""
    paths = [base_dir / file.path for file in settings.files]
    for path in paths:
        check_readable(path, settings.name)
    indexes = {instrument.id: index for index, instrument in enumerate(instruments)}
    floors, limits = price_floors(instruments), time_limits(settings, now_ns)

    def rows(_resume_after: int) -> tuple[int, Iterator[Rows]]:
        parsers = [
            FrameParser(file=number, venue=file.venue, symbol=file.symbol, instruments=indexes)
            for number, file in enumerate(settings.files)
        ]
        files = [checked_times(_file_rows(path, parser), limits) for path, parser in zip(paths, parsers, strict=True)]
        ids = IdSequence(settings.name)
        merged = merge(files, rows_ahead=settings.batch_rows)
        return 0, (ids.checked(piece, faults_of(piece.columns, floors)) for piece in merged)

    names = [path.name for path in paths]
    return RowFeed(settings.name, source, settings.batch_rows, rows, inputs_of(settings, paths), names)


def _file_rows(path: Path, parser: FrameParser) -> Iterator[tuple[Rows, Text]]:
    try:
        for lines in line_chunks(path):
            yield _with_text(parser.parse(lines))
    except FileDamagedError as damage:
        yield _with_text(parser.damaged(str(damage)))


def _with_text(rows: Rows) -> tuple[Rows, Text]:
    return rows, lambda row: frame_text(rows.columns["payload"][row])
