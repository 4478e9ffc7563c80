"""Typed settings of the feeds; `kind` says which one."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tradingd.columns import Timeframe
from tradingd.instruments import NotNegative, Positive

InstrumentId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+:[^\s:]+$")]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+$")]
Share = Annotated[float, Meta(ge=0, le=1)]


class CommonSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all feeds share.

    pace         "max": as fast as it is taken; "recorded": as the receive times say
    speed        times faster than recorded
    batch_rows   rows of a batch, at most
    """

    name: Name
    pace: Literal["max", "recorded"] = "max"
    speed: Positive = 1.0
    batch_rows: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000


class RecordedSettings(CommonSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What feeds of files share.

    time_error_s_max   a row is rejected whose event time is further from its receive time, or whose time is further
                       ahead of the rows on both sides of it
    """

    time_error_s_max: Positive = 86_400.0


class RecordedFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Lines of `<receive time, ns> <frame>`, plain or gzip. Instruments are VENUE:SYMBOL.

    symbol   whose REST depth snapshots these are; not needed where the streams of the file have one symbol
    """

    path: str
    venue: str
    symbol: str | None = None


class BinanceRecordedSettings(RecordedSettings, frozen=True, tag_field="kind", tag="binance_recorded", kw_only=True):
    """Frames of Binance spot or USD-M WebSocket streams as they came off the wire, merged by receive time."""

    files: Annotated[tuple[RecordedFile, ...], Meta(min_length=1)]


class TickColumns(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which column of the file holds what: `price` for trades, `bid` and/or `ask` for quotes.

    side          of the aggressor: buy or sell
    buyer_maker   true where the seller was the aggressor
    symbol        with the file's `venue` names the instrument of each row
    """

    ts_event: str
    ts_received: str | None = None
    price: str | None = None
    size: str | None = None
    bid: str | None = None
    bid_size: str | None = None
    ask: str | None = None
    ask_size: str | None = None
    side: str | None = None
    buyer_maker: str | None = None
    venue_id: str | None = None
    symbol: str | None = None


class TickFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One CSV, CSV.gz or Parquet file, or a JSON array of rows (columns are then named "0", "1", ...).

    ts_unit      of both times; "iso" for text such as 2013-01-01T22:00:00.295Z (UTC where no offset is given)
    instrument   of all rows; or `venue` together with the column `symbol`
    ineligible   column that flags rows to keep but not to trade on, where it is neither empty nor 0 nor false
    """

    path: str
    columns: TickColumns
    ts_unit: Literal["s", "ms", "us", "ns", "iso"]
    instrument: InstrumentId | None = None
    venue: str | None = None
    ineligible: str | None = None


class FileSettings(RecordedSettings, frozen=True, tag_field="kind", tag="file", kw_only=True):
    """Tick files, merged by receive time (event time where they have none)."""

    files: Annotated[tuple[TickFile, ...], Meta(min_length=1)]


class BarFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bars of one instrument, Parquet or CSV with the columns of a catalogue.

    timeframe   of the bars: the finest that is in use for the instrument
    """

    path: str
    instrument: InstrumentId
    timeframe: Timeframe


class FundingFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Funding rates of one instrument: CSV, Parquet or Feather with `ts_ns` or `date`, and `rate` (or `open`)."""

    path: str
    instrument: InstrumentId


class BarsSettings(RecordedSettings, frozen=True, tag_field="kind", tag="bars", kw_only=True):
    """Bars where there are no ticks, merged by the time at which they are known; with funding rates where there are."""

    files: Annotated[tuple[BarFile, ...], Meta(min_length=1)]
    funding: tuple[FundingFile, ...] = ()


class SimulatedInstrument(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One simulated market.

    price          at the start
    volatility     standard deviation of the return over one day of 24 hours, in the calm regime
    loading        share of the common factor: two instruments correlate by the product of their loadings
    spread_ticks   usual distance of bid and ask
    size_lots      mean size
    weight         of its share in the tick rate
    """

    instrument: InstrumentId
    price: Positive
    volatility: Positive = 0.02
    loading: Annotated[float, Meta(ge=-1, le=1)] = 0.6
    spread_ticks: Annotated[int, Meta(ge=1, le=1000)] = 1
    size_lots: Annotated[float, Meta(ge=1)] = 10.0
    weight: Positive = 1.0


class Regime(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A state of the market: volatility times `factor`, for `mean_s` on average."""

    factor: Positive
    mean_s: Positive


class SimulatedSettings(CommonSettings, frozen=True, tag_field="kind", tag="simulated", kw_only=True):
    """A market made from `seed`: the same settings make the same ticks.

    start             ISO time of the first tick
    ticks_per_s       of all instruments together, on average
    quote_share       of quotes among the ticks; the rest are trades
    regimes           the first one is where the session begins
    jumps_per_day     of each instrument, in 24 hours; a jump moves the price by `jump_size` (relative), up or down
    """

    seed: Annotated[int, Meta(ge=0)]
    start: str
    duration_s: Positive
    ticks_per_s: Positive = 20.0
    quote_share: Share = 0.7
    instruments: Annotated[tuple[SimulatedInstrument, ...], Meta(min_length=1, max_length=1000)]
    regimes: Annotated[tuple[Regime, ...], Meta(min_length=1)] = (
        Regime(factor=1.0, mean_s=3600.0),
        Regime(factor=2.5, mean_s=900.0),
    )
    jumps_per_day: NotNegative = 4.0
    jump_size: NotNegative = 0.003


FeedSettings = BinanceRecordedSettings | FileSettings | BarsSettings | SimulatedSettings
