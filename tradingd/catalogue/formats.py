"""The formats that are known by name: which column holds what, how times are written, which end of a bar is stamped."""

from collections.abc import Mapping
from dataclasses import dataclass

from tradingd.catalogue.dbn import OHLCV
from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.shapes import DAY, PRICES, Kind
from tradingd.catalogue.stamps import ISO

OPEN, CLOSE = "open", "close"
DBN = "dbn"
BAR_ROLES = ("ts", *PRICES, "volume")
TRADE_ROLES = ("ts", "ts_received", "price", "size", "side", "buyer_maker", "venue_id", "ineligible")
QUOTE_ROLES = ("ts", "ts_received", "bid", "bid_size", "ask", "ask_size", "venue_id", "ineligible")
ROLES = {Kind.BARS: BAR_ROLES, Kind.TRADES: TRADE_ROLES, Kind.QUOTES: QUOTE_ROLES}


@dataclass(frozen=True)
class Layout:
    """One way in which a file of a format may look.

    columns    by role; what the format does not fix the command line has to say
    optional   roles whose columns may be missing
    stamp      which end of a bar the time is
    rows       (column, value) of the rows that are of this kind, where a file has others too
    """

    kind: Kind
    columns: Mapping[str, str]
    optional: tuple[str, ...] = ()
    ts_format: str = ISO
    timezone: str | None = None
    stamp: str | None = None
    timeframe: str | None = None
    rows: tuple[str, str] | None = None


def _named(*roles: str) -> dict[str, str]:
    return {role: role.capitalize() for role in roles}


_DBN_TIMES = {"ts": "ts_event", "ts_received": "ts_recv"}
_DBN_TOP = {"bid": "bid_px_00", "bid_size": "bid_sz_00", "ask": "ask_px_00", "ask_size": "ask_sz_00"}
_LEAN_MS = {"ts": "ts_ms", "ineligible": "suspicious"}
_TARDIS = {"ts": "timestamp", "ts_received": "local_timestamp"}

FORMATS: dict[str, tuple[Layout, ...]] = {
    "csv": (Layout(Kind.BARS, {role: role for role in (*PRICES, "volume")}, optional=("volume",)),),
    "yahoo": (
        Layout(
            Kind.BARS,
            {"ts": "Date", **_named(*PRICES, "volume")},
            stamp=OPEN,
            timeframe=DAY,
        ),
    ),
    "tradestation": (
        Layout(
            Kind.BARS,
            {"ts": "TimeStamp", **_named(*PRICES), "volume": "TotalVolume"},
            stamp=CLOSE,
        ),
    ),
    "freqtrade": (
        Layout(
            Kind.BARS,
            {"ts": "date", **{role: role for role in (*PRICES, "volume")}},
            stamp=OPEN,
            timezone="UTC",
        ),
    ),
    "lean": (
        Layout(Kind.TRADES, {**_LEAN_MS, "price": "price", "size": "size"}, ("ineligible",), "ms"),
        Layout(
            Kind.QUOTES,
            {**_LEAN_MS, "bid": "bid", "bid_size": "bid_size", "ask": "ask", "ask_size": "ask_size"},
            ("ineligible", "bid_size", "ask_size"),
            "ms",
        ),
    ),
    "tardis": (
        Layout(
            Kind.QUOTES,
            {
                **_TARDIS,
                "bid": "bids[0].price",
                "bid_size": "bids[0].amount",
                "ask": "asks[0].price",
                "ask_size": "asks[0].amount",
            },
            ts_format="us",
        ),
        Layout(
            Kind.QUOTES,
            {**_TARDIS, "bid": "bid_price", "bid_size": "bid_amount", "ask": "ask_price", "ask_size": "ask_amount"},
            ts_format="us",
        ),
        # the rows of its books have a price too, and no id
        Layout(
            Kind.TRADES, {**_TARDIS, "price": "price", "size": "amount", "side": "side", "_id": "id"}, ts_format="us"
        ),
    ),
    "truefx": (Layout(Kind.QUOTES, {"ts": "timestamp", "bid": "bid", "ask": "ask"}, timezone="UTC"),),
    "binance": (
        Layout(
            Kind.TRADES,
            {"ts": "timestamp", "price": "price", "size": "quantity", "buyer_maker": "buyer_maker"},
            ts_format="ms",
            timezone="UTC",
        ),
        Layout(
            Kind.QUOTES,
            {"ts": "timestamp", "bid": "bid", "bid_size": "bid_size", "ask": "ask", "ask_size": "ask_size"},
            ts_format="ms",
            timezone="UTC",
        ),
    ),
    DBN: (
        *(
            Layout(
                Kind.BARS,
                {"ts": "ts_event", **{role: role for role in (*PRICES, "volume")}, "_schema": schema},
                ts_format="ns",
                timezone="UTC",
                stamp=OPEN,
                timeframe=timeframe,
            )
            for schema, timeframe in OHLCV.items()
        ),
        Layout(Kind.QUOTES, {**_DBN_TIMES, **_DBN_TOP}, ts_format="ns"),
        Layout(Kind.QUOTES, {"ts": "ts_recv", **_DBN_TOP}, ts_format="ns"),
        # of the orders that a trade filled (action F) the file has a row each, beside the one of the trade
        Layout(
            Kind.TRADES,
            {**_DBN_TIMES, "price": "price", "size": "size", "side": "side"},
            ts_format="ns",
            rows=("action", "T"),
        ),
    ),
}


def layouts(name: str) -> tuple[Layout, ...]:
    """Raises CatalogueError."""
    if name not in FORMATS:
        raise CatalogueError(f"there is no format {name!r}; there are {', '.join(FORMATS)}, panel, journal")
    return FORMATS[name]


def kind_of_roles(roles: Mapping[str, str]) -> Kind:
    """What a mapping that somebody wrote makes. Raises CatalogueError."""
    kind = Kind.TRADES if "price" in roles else Kind.QUOTES if {"bid", "ask"} & set(roles) else Kind.BARS
    for role in roles:
        if role not in ROLES[kind]:
            raise CatalogueError(f"--columns: {kind} have no {role!r}; they have {', '.join(ROLES[kind])}")
    return kind
