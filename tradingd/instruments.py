"""What can be traded: grids, fees, margin and sessions. Pure values; nothing here reads a clock or a file."""

import enum
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Meta, Struct

NS = 1_000_000_000
DAY_S = 86_400
HOUR_NS = 3600 * NS
DAY_NS = DAY_S * NS
NEAR_NS = 4 * DAY_NS  # to a change of the clock: the day before and the session after, and offsets on top
FOREVER_NS = 1 << 63

DATE_OR_TIME = r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$"
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Rate = Annotated[float, Meta(ge=-1, le=1)]


class AssetClass(enum.StrEnum):
    EQUITY = "equity"
    FX = "fx"
    SPOT = "spot"
    PERPETUAL = "perpetual"
    FUTURE = "future"


class PriceSource(enum.StrEnum):
    """Which prices make an instrument's bars, marks and triggers."""

    TRADE = "trade"
    MID = "mid"


class RecordedSide(enum.StrEnum):
    """What recorded prices are, where no quotes are recorded beside them: the middle, the bids or the asks."""

    MID = "mid"
    BID = "bid"
    ASK = "ask"


class Session(Struct, frozen=True, forbid_unknown_fields=True):
    """When an instrument trades, in local time of day. `open == close` means around the clock.

    A session that closes before it opens ends on the next day (FX: 17:00 to 17:00). `days` are those on which a session
    opens, Monday = 0. `utc_offsets` are the zone's transitions as (from_ns, offset_s), baked when the config is
    resolved, so that the journal explains its own days and the pure half never reads a zone file.
    """

    timezone: str = "UTC"
    open: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "00:00"
    close: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "00:00"
    days: tuple[Annotated[int, Meta(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5, 6)
    utc_offsets: tuple[tuple[int, int], ...] = ()

    @property
    def open_s(self) -> int:
        return _seconds_of(self.open)

    @property
    def length_s(self) -> int:
        return (_seconds_of(self.close) - self.open_s - 1) % DAY_S + 1

    @property
    def never_closes(self) -> bool:
        """False too where that is not plain to see: in a zone that is not UTC."""
        is_utc = not any(offset_s for _, offset_s in self.utc_offsets)
        return is_utc and self.length_s == DAY_S and all(day in self.days for day in range(7))

    def offset_s(self, ts_ns: int) -> int:
        """Seconds that local time is ahead of UTC at `ts_ns`; 0 before the first transition."""
        return self._offset(ts_ns)[0]

    def bounds(self, ts_ns: int) -> tuple[int, int]:
        """The session that last opened at or before `ts_ns`, on whatever weekday: (open_ns, close_ns)."""
        return self._newest(ts_ns)[:2]

    def is_open(self, ts_ns: int) -> bool:
        _, close_ns, local_day = self._newest(ts_ns)
        return ts_ns < close_ns and (local_day + 3) % 7 in self.days  # 1970-01-01 was a Thursday

    def _newest(self, ts_ns: int) -> tuple[int, int, int]:
        """Bounds and local day of the session that last opened."""
        offset_s, is_steady = self._offset(ts_ns)
        open_s = self.open_s
        open_local_s = (ts_ns // NS + offset_s - open_s) // DAY_S * DAY_S + open_s
        close_local_s = open_local_s + self.length_s
        if is_steady:
            return (open_local_s - offset_s) * NS, (close_local_s - offset_s) * NS, open_local_s // DAY_S
        open_ns = self._utc_ns(open_local_s)
        return open_ns, self._utc_ns(close_local_s), (open_ns // NS + self.offset_s(open_ns)) // DAY_S

    def _offset(self, ts_ns: int) -> tuple[int, bool]:
        """(the offset, whether it holds for all that `_newest` looks at)."""
        index = bisect_right(self.utc_offsets, (ts_ns, DAY_S))  # no offset is as large as a day
        since_ns, offset_s = self.utc_offsets[index - 1] if index else (-FOREVER_NS, 0)
        until_ns = self.utc_offsets[index][0] if index < len(self.utc_offsets) else FOREVER_NS
        return offset_s, since_ns + NEAR_NS < ts_ns < until_ns - NEAR_NS

    def _utc_ns(self, local_s: int) -> int:
        guess_ns = (local_s - self.offset_s(local_s * NS)) * NS
        return (local_s - self.offset_s(guess_ns)) * NS


class Fees(Struct, frozen=True, forbid_unknown_fields=True):
    """Commission of a fill: rate x notional + per_unit x quantity, at least `minimum`; in the instrument's currency."""

    maker_rate: float = 0.0
    taker_rate: float = 0.0
    per_unit: NotNegative = 0.0
    minimum: NotNegative = 0.0


class Margin(Struct, frozen=True, forbid_unknown_fields=True):
    """Fractions of notional. 1.0 means paid in full."""

    initial_rate: Annotated[float, Meta(gt=0, le=1)] = 1.0
    maintenance_rate: Annotated[float, Meta(ge=0, le=1)] = 0.0


class Financing(Struct, frozen=True, forbid_unknown_fields=True):
    """What holding a position costs.

    borrow_rate          a year, of the value of a short position; paid at each UTC midnight, actual days / 365
    funding_rate         of the value, at each instant: longs pay shorts where it is positive
    funding_interval_h   hours between two instants, counted from UTC midnight
    """

    borrow_rate: NotNegative = 0.0
    funding_rate: Rate = 0.0
    funding_interval_h: Literal[1, 2, 3, 4, 6, 8, 12, 24] = 8


class Instrument(Struct, frozen=True, forbid_unknown_fields=True):
    """One tradable thing, named VENUE:SYMBOL. Prices sit on `tick_size`, quantities on `lot_size`.

    spread_ticks   from bid to ask at the simulated venue, where no quotes are recorded
    recorded_side  what recorded prices are there
    expires   when it ceases to trade: a date, which is UTC midnight, or an ISO date-time with its offset
    """

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+:[^\s:]+$")]
    asset_class: AssetClass
    tick_size: Positive
    lot_size: Positive
    currency: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{1,9}$")]
    multiplier: Positive = 1.0
    fees: Fees = Fees()
    margin: Margin = Margin()
    financing: Financing = Financing()
    session: Session = Session()
    price_source: PriceSource = PriceSource.TRADE
    negative_prices: bool = False
    spread_ticks: Annotated[int, Meta(ge=0)] = 0
    recorded_side: RecordedSide = RecordedSide.MID
    expires: Annotated[str, Meta(pattern=DATE_OR_TIME)] | None = None

    def __post_init__(self) -> None:
        if self.expires is not None:
            _ns_of(self.expires)  # raises ValueError for a day that there is not

    @property
    def expires_ns(self) -> int:
        """FOREVER_NS where it does not."""
        return FOREVER_NS if self.expires is None else _ns_of(self.expires)

    @property
    def venue(self) -> str:
        return self.id.partition(":")[0]

    @property
    def symbol(self) -> str:
        return self.id.partition(":")[2]

    def half_ticks_to(self, sign: int) -> int:
        """From a recorded price to the ask (sign 1) or the bid (-1), in halves of a tick."""
        if self.recorded_side is RecordedSide.MID:
            return self.spread_ticks
        is_recorded = self.recorded_side is (RecordedSide.ASK if sign > 0 else RecordedSide.BID)
        return 0 if is_recorded else 2 * self.spread_ticks

    @property
    def is_paid(self) -> bool:
        """Whether a position is bought with cash; of futures, FX and perpetuals only margin is held."""
        return self.asset_class in (AssetClass.EQUITY, AssetClass.SPOT)


class Conversion(Struct, frozen=True, forbid_unknown_fields=True):
    """At which price one unit of a currency counts in another account.

    into         currency of that account
    instrument   id; its price is the rate
    inverse      the rate is 1 / price: what is priced is the other currency
    """

    into: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{1,9}$")]
    instrument: str
    inverse: bool = False


class AccountSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One account per currency. Money is a whole number of `unit`: "0.000001" makes the balance count millionths.

    With a `conversion` it is a part of another account: sizes, margin and limits look at the equity of both together.
    Its money stays in its own currency.

    interest_rate   a year, earned on cash; at each UTC midnight, actual days / 365
    debit_rate      a year, paid on what cash is below zero
    """

    currency: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{1,9}$")]
    balance: Annotated[str, Meta(pattern=r"^\d+(\.\d+)?$")]
    unit: Annotated[str, Meta(pattern=r"^(1|0\.0*1)$")] = "0.000001"
    conversion: Conversion | None = None
    interest_rate: Rate = 0.0
    debit_rate: NotNegative = 0.0

    @property
    def units_per_one(self) -> int:
        return int(10 ** len(self.unit.partition(".")[2]))

    @property
    def balance_units(self) -> int:
        """Raises ValueError where the balance is finer than the unit."""
        whole, _, fraction = self.balance.partition(".")
        places = len(self.unit.partition(".")[2])
        if len(fraction.rstrip("0")) > places:
            raise ValueError(f"balance {self.balance} is finer than the unit {self.unit}")
        return int(whole + fraction[:places].ljust(places, "0"))


@lru_cache(maxsize=1024)
def _ns_of(text: str) -> int:
    """Raises ValueError."""
    at = datetime.fromisoformat(text)
    since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(seconds=1) * NS


@lru_cache(maxsize=1440)
def _seconds_of(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60
