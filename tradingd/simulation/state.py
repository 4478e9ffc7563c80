"""What the simulated venue knows: orders on their way and working, its own positions, what it took of the quotes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec import Struct

from tradingd.events import OrderRequested, OrdType, TimeInForce
from tradingd.grid import Grid, grid_of
from tradingd.instruments import AccountSettings, Instrument, PriceSource
from tradingd.kernels.posting import LOTS_LIMIT
from tradingd.kernels.spread import quoted
from tradingd.simulation.settings import SimulationSettings

NEVER_NS = 2**63 - 1


class VenueOrder(Struct, gc=False):
    """An order as the venue sees it. `lots` are those still to fill; `sign` is 1 for a buy, -1 for a sell.

    stop_px     its trigger, which moves where the order trails
    triggered   a stop that has become a market order, or with a price a limit order
    waited      it has had its first opportunity to trade: what is left of a limit order is a maker now
    forced      a liquidation, which a bar's volume does not limit
    session_ns  of a DAY order on bars: when the session opened in which it met its first open; NEVER_NS before that
    """

    cl_ord_id: str
    instrument: int
    sign: int
    ord_type: OrdType
    time_in_force: TimeInForce
    total_lots: int
    lots: int
    price: float | None
    stop_px: float | None
    reduce_only: bool
    parent: str | None
    trail: float | None = None
    expires_ns: int = NEVER_NS
    session_ns: int = NEVER_NS
    triggered: bool = False
    waited: bool = False
    forced: bool = False

    @property
    def sleeps(self) -> bool:
        """A stop that waits for its trigger."""
        return self.stop_px is not None and not self.triggered


class Pending(Struct, frozen=True, gc=False):
    """On its way to the venue: an order, or the wish to cancel the one named."""

    due_ns: int
    order: OrderRequested | None = None
    cancel: str = ""


class Taken(Struct, gc=False):
    """Lots that our orders took of a quote, which lasts as long as its price and size are told."""

    price: float
    size: float
    lots: int


class Tail(Struct, frozen=True):
    """What of a bar's range may have come after an entry within it, which stops that arrive at `at_ns` still meet."""

    at_ns: int
    low: float
    high: float


class VenueState(Struct):
    """All that changes. Serialisable."""

    pending: list[Pending] = []  # in the order of submission
    working: dict[str, VenueOrder] = {}  # in the order of arrival
    lots: dict[int, int] = {}  # position by instrument
    bids_taken: dict[int, Taken] = {}
    asks_taken: dict[int, Taken] = {}
    tails: dict[int, Tail] = {}  # by instrument; the newest
    trades: int = 0
    rooms: dict[int, int] = {}  # lots of the bar in hand that may yet be filled, by instrument

    def room(self, order: VenueOrder) -> int:
        return LOTS_LIMIT if order.forced else self.rooms.get(order.instrument, LOTS_LIMIT)

    def use_room(self, order: VenueOrder, lots: int) -> None:
        if order.instrument in self.rooms and not order.forced:
            self.rooms[order.instrument] -= lots

    def reducible_lots(self, order: VenueOrder) -> int:
        """Lots by which the order could bring the position towards zero."""
        return max(0, -order.sign * self.lots.get(order.instrument, 0))


class Tick(NamedTuple):
    """One row of ticks; the fields are columns of `columns.TickBatch`."""

    kind: int
    flags: int
    price: float
    size: float
    ask_price: float
    ask_size: float


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument with what it takes to trade it.

    half_ticks          from a recorded price to what a buy (1) or a sell (-1) meets, where no quotes are recorded
    triggers_by_quote   stops wait for the opposite quote, recorded or made of the spread, and not for the last trade
    """

    instrument: Instrument
    ticks: Grid
    lots: Grid
    units_per_one: int
    half_ticks: dict[int, int]
    triggers_by_quote: bool
    never_closes: bool

    def is_open(self, ts_ns: int) -> bool:
        return self.never_closes or self.instrument.session.is_open(ts_ns)

    def quoted(self, sign: int, price: float) -> float:
        """What a buy (1) or a sell (-1) meets at a recorded price that has no quotes beside it."""
        half_ticks = self.half_ticks[sign]
        if half_ticks == 0:
            return price
        return float(quoted(price, sign, float(half_ticks), float(self.ticks.numerator), float(self.ticks.denominator)))

    def reach(self, sign: int) -> float:
        """How far that is from the recorded price at most."""
        half_ticks = self.half_ticks[sign]
        return (half_ticks / 2 + 1) * self.instrument.tick_size if half_ticks else 0.0


@dataclass(frozen=True, slots=True)
class Terms:
    """All that stays the same while a venue runs; `listings` by instrument index."""

    settings: SimulationSettings
    listings: tuple[Listing, ...]


def terms_of(
    settings: SimulationSettings, instruments: Sequence[Instrument], accounts: Sequence[AccountSettings]
) -> Terms:
    """Raises KeyError where an instrument's currency has no account."""
    units = {account.currency: account.units_per_one for account in accounts}
    return Terms(settings, tuple(_listing(instrument, units[instrument.currency]) for instrument in instruments))


def _listing(instrument: Instrument, units_per_one: int) -> Listing:
    return Listing(
        instrument,
        ticks=grid_of(instrument.tick_size),
        lots=grid_of(instrument.lot_size),
        units_per_one=units_per_one,
        half_ticks={sign: instrument.half_ticks_to(sign) for sign in (1, -1)},
        triggers_by_quote=instrument.price_source is PriceSource.MID or instrument.spread_ticks > 0,
        never_closes=instrument.session.never_closes,
    )
