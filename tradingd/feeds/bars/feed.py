"""Files of bars as a feed. They are read whole before it starts: what is wrong with them is said then."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tradingd.columns import TIMEFRAMES
from tradingd.feeds.bars.funding import Funding, read_funding
from tradingd.feeds.bars.rows import ROWS, rows_of
from tradingd.feeds.bars.table import Bars, BarsError, read_bars
from tradingd.feeds.contract import FeedConfigError
from tradingd.feeds.feed import RowFeed
from tradingd.feeds.inputs import inputs_of
from tradingd.feeds.merge import merge
from tradingd.feeds.rows import Rows
from tradingd.feeds.settings import BarFile, BarsSettings
from tradingd.instruments import Instrument


def bars_feed(settings: BarsSettings, source: int, instruments: Sequence[Instrument], base_dir: Path) -> RowFeed:
    """Raises FeedConfigError where a file is no table of bars, or of other bars than is said."""
    indexes = {instrument.id: index for index, instrument in enumerate(instruments)}
    named = [spec.path for spec in settings.files] + [spec.path for spec in settings.funding]
    paths = [base_dir / name for name in named]
    tables = [
        (indexes[spec.instrument], _checked(spec, path, settings.name, instruments[indexes[spec.instrument]]))
        for spec, path in zip(settings.files, paths, strict=False)
    ]
    rates = [
        _funding(path, settings.name).rows(settings.name, indexes[spec.instrument], file)
        for file, (spec, path) in enumerate(zip(settings.funding, paths[len(tables) :], strict=True), len(tables))
    ]

    def rows(_resume_after: int) -> tuple[int, Iterator[Rows]]:
        streams = [
            bar_rows(bars, index, file, settings.batch_rows // ROWS + 1) for file, (index, bars) in enumerate(tables)
        ]
        return 0, merge([*streams, *(iter([each]) for each in rates)], rows_ahead=settings.batch_rows)

    names = [path.name for path in paths]
    return RowFeed(settings.name, source, settings.batch_rows, rows, inputs_of(settings, paths), names)


def _checked(spec: BarFile, path: Path, feed: str, instrument: Instrument) -> Bars:
    try:
        bars = read_bars(path)
        bars.check_for(instrument)
    except BarsError as error:
        raise FeedConfigError(f"feed {feed}: {error}") from error
    if bars.ts_open_ns[0] < 0:
        raise FeedConfigError(f"feed {feed}: the bars of {path} begin before 1970, and the core has no time there")
    if (found := TIMEFRAMES[bars.timeframe]) != spec.timeframe:
        raise FeedConfigError(f"feed {feed}: the bars of {path} are {found}, not {spec.timeframe}")
    return bars


def _funding(path: Path, feed: str) -> Funding:
    try:
        return read_funding(path)
    except BarsError as error:
        raise FeedConfigError(f"feed {feed}: {error}") from error


def bar_rows(bars: Bars, instrument: int, file: int, at_once: int) -> Iterator[Rows]:
    for start in range(0, len(bars), at_once):
        columns = rows_of(bars, start, start + at_once, instrument)
        columns["file"][:] = file
        yield Rows(columns)
