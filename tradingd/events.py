"""Every input and every fact, as frozen structs in one tagged union.

Events only grow: a new field has a default, nothing is renamed or reused, and a type that this code does not know stops
a replay. Ticks and bars are columns (`columns.py`); everything else is an `Event` with one of the bodies below.

An event's position is (seq, n): seq counts inputs, n = 0 is the input itself, n >= 1 are the facts it caused, in order.
"""

import enum
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct


class Side(enum.StrEnum):
    BUY = "Buy"
    SELL = "Sell"

    def __init__(self, value: str) -> None:
        self.sign = 1 if value == "Buy" else -1

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class OrdType(enum.StrEnum):
    MARKET = "Market"
    LIMIT = "Limit"
    STOP = "Stop"
    STOP_LIMIT = "StopLimit"
    TRAILING_STOP = "TrailingStop"


class TimeInForce(enum.StrEnum):
    DAY = "Day"
    GTC = "GoodTillCancel"
    IOC = "ImmediateOrCancel"


class OrdStatus(enum.StrEnum):
    PENDING_NEW = "PendingNew"
    NEW = "New"
    PARTIALLY_FILLED = "PartiallyFilled"
    FILLED = "Filled"
    PENDING_CANCEL = "PendingCancel"
    CANCELED = "Canceled"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    IN_DOUBT = "InDoubt"


class FeedState(enum.StrEnum):
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    DONE = "done"


class AnchorState(enum.StrEnum):
    WORKING = "working"
    FAILING = "failing"


class Command(enum.StrEnum):
    HALT = "halt"
    RESUME = "resume"
    FLATTEN = "flatten"
    STOP = "stop"


class Resumption(enum.StrEnum):
    """How a run came by its memory."""

    FRESH = "fresh"  # the journal's first run
    REBUILT = "rebuilt"  # the same code and settings: recorded inputs were re-executed, perhaps from a snapshot
    WARMED = "warmed"  # other code or settings: the ledger was kept, memory warmed up with recorded inputs


class Body(Struct, frozen=True, tag=True, omit_defaults=True, gc=False):
    """Base of all event bodies; the tag is the type's name."""


# --- inputs (n = 0) ---------------------------------------------------------------------------------------------------


class RunStarted(Body, frozen=True, kw_only=True):
    """The daemon started: everything a replay needs that is not in the other inputs."""

    journal_id: str
    epoch: int
    config: msgspec.Raw  # the resolved core config, secrets by name only
    config_digest: str
    code_digest: str
    sources: tuple[str, ...]  # feed names; a tick's source is an index into them
    strategies: dict[str, str] = {}  # text of user strategies by path
    versions: dict[str, str] = {}
    processor: str = ""
    resumed: Resumption = Resumption.FRESH
    warm_from_seq: int = 0  # of a warm-up: the first input that memory was warmed with


class RunStopped(Body, frozen=True):
    reason: str


class FeedStatus(Body, frozen=True):
    feed: str
    state: FeedState
    detail: str = ""


class Gap(Body, frozen=True):
    """Data that a feed knows it missed: `missed` messages where the venue numbers them, 0 where it does not."""

    feed: str
    instrument: int | None
    missed: int
    detail: str


class InputRejected(Body, frozen=True):
    """A frame or row that could not become a tick: where it stood, what is wrong, and how it began."""

    feed: str
    where: str
    reason: str
    text: str


class FundingRate(Body, frozen=True):
    """What a venue charges for holding, at the instant with which it is stamped: longs pay where it is positive."""

    feed: str
    instrument: int
    rate: float  # of the position's value


class ClockAdvanced(Body, frozen=True):
    """Nothing arrived, but time went on; the envelope's receive time says how far."""


class OperatorCommand(Body, frozen=True):
    command: Command
    actor: str  # peer credentials of the socket: "uid=1000(name) pid=42"
    reason: str = ""


class SnapshotTaken(Body, frozen=True):
    """A snapshot of the state after `seq` was written beside the journal."""

    at_seq: int
    file: str
    digest: str


class AnchorStatus(Body, frozen=True):
    """Whether signed heads come to a place: told when that changes, and first in each run."""

    anchor: str
    state: AnchorState
    text: str = ""


# --- facts (n >= 1) ---------------------------------------------------------------------------------------------------


class LateTick(Body, frozen=True):
    """A tick older than the last closed bar of its instrument's finest timeframe; closed bars never change."""

    instrument: int
    ts_closed_ns: int


class Signal(Body, frozen=True):
    """What one strategy wants of one instrument, from the close of a bar."""

    strategy: str
    instrument: int
    ts_bar_close_ns: int
    target: float  # signed fraction of the equity allotted to the strategy
    confidence: float
    price: float  # close of the bar
    stop: float | None = None
    take_profit: float | None = None
    limit: float | None = None
    trigger: float | None = None
    trail: float | None = None


class Decision(Body, frozen=True):
    """The signals of one instrument combined by the stated rule."""

    instrument: int
    target: float
    price: float
    voters: tuple[str, ...]
    rule: str
    stop: float | None = None
    take_profit: float | None = None
    limit: float | None = None
    trigger: float | None = None
    trail: float | None = None
    time_in_force: TimeInForce = TimeInForce.GTC  # of an entry

    @property
    def entry_price(self) -> float:
        """What an entry is sized by: its limit, else its trigger, else the close."""
        named = self.trigger if self.limit is None else self.limit
        return self.price if named is None else named


LIQUIDATION = "liquidation"  # why an order closes what margin does not carry any more


class OrderRequested(Body, frozen=True, kw_only=True):
    """An order that risk approved. Its ClOrdID is derived from the journal id, the epoch and its position."""

    cl_ord_id: str
    instrument: int
    side: Side
    quantity: float
    ord_type: OrdType
    time_in_force: TimeInForce
    price: float | None = None  # limit
    stop_px: float | None = None  # trigger; of a trailing stop the first one
    reduce_only: bool = False
    # bracket: orders that the venue places when this one fills, one cancelling the other
    stop_loss: float | None = None
    take_profit: float | None = None
    trail: float | None = None  # distance at which the stop loss follows the best price, or this order if it is one
    parent: str | None = None
    reason: str = "decision"


class OrderRefused(Body, frozen=True, kw_only=True):
    """Risk said no: the rule that refused, its limit and the value that broke it."""

    instrument: int
    side: Side
    quantity: float
    rule: str
    limit: float | None
    value: float | None
    text: str
    reason: str = "decision"


class OrderAccepted(Body, frozen=True):
    cl_ord_id: str


class OrderRejected(Body, frozen=True):
    cl_ord_id: str
    text: str


class CancelRequested(Body, frozen=True):
    cl_ord_id: str
    reason: str


class OrderCanceled(Body, frozen=True):
    cl_ord_id: str
    text: str = ""


class OrderExpired(Body, frozen=True):
    cl_ord_id: str
    text: str = ""


class OrderFilled(Body, frozen=True, kw_only=True):
    cl_ord_id: str
    instrument: int
    side: Side
    last_qty: float
    last_px: float
    cum_qty: float
    leaves_qty: float
    fee: int  # money units
    trade_id: str
    maker: bool = False


class PositionChanged(Body, frozen=True, kw_only=True):
    """The position after a fill. Money in units of the instrument's currency."""

    instrument: int
    lots: int  # signed
    cost: int  # signed sum of the notional of what is open
    realized: int  # by this fill, before fees


class AccountChanged(Body, frozen=True, kw_only=True):
    """The account after a posting. `balance` counts units of money."""

    currency: str
    balance: int
    change: int
    reason: str


class Halted(Body, frozen=True, kw_only=True):
    """New exposure is stopped, and stays so over restarts until a named human resumes."""

    rule: str
    text: str
    by: str = "risk"


class Resumed(Body, frozen=True):
    by: str
    reason: str = ""


class LimitChanged(Body, frozen=True, kw_only=True):
    rule: str
    old: float | None
    new: float | None
    by: str


class Anomaly(Body, frozen=True):
    """Something that can not happen did; it stops new exposure."""

    what: str
    detail: str


class CoreFailed(Body, frozen=True):
    """`advance` raised: a bug. The process exits, and starts again halted."""

    error: str
    traceback: str


INPUTS = (
    RunStarted, RunStopped, FeedStatus, Gap, InputRejected, ClockAdvanced, OperatorCommand, SnapshotTaken,
    AnchorStatus, FundingRate,
)  # fmt: skip
FACTS = (
    LateTick, Signal, Decision, OrderRequested, OrderRefused, OrderAccepted, OrderRejected, CancelRequested,
    OrderCanceled, OrderExpired, OrderFilled, PositionChanged, AccountChanged, Halted, Resumed, LimitChanged, Anomaly,
    CoreFailed,
)  # fmt: skip
BODY_TYPES: dict[str, type[Body]] = {kind.__name__: kind for kind in INPUTS + FACTS}

AnyBody = (
    RunStarted | RunStopped | FeedStatus | Gap | InputRejected | ClockAdvanced | OperatorCommand | SnapshotTaken
    | LateTick | Signal | Decision | OrderRequested | OrderRefused | OrderAccepted | OrderRejected | CancelRequested
    | OrderCanceled | OrderExpired | OrderFilled | PositionChanged | AccountChanged | Halted | Resumed | LimitChanged
    | Anomaly | CoreFailed | AnchorStatus | FundingRate
)  # fmt: skip


class Input(Struct, frozen=True):
    """An input that is no tick, before it has a position."""

    ts_event_ns: int
    ts_received_ns: int
    source: str
    body: AnyBody


class Event(Struct, frozen=True, gc=False):
    """The envelope: an input that is no tick (n = 0) or a fact (n >= 1) at its position."""

    seq: Annotated[int, Meta(ge=1)]
    n: Annotated[int, Meta(ge=0)]
    ts_event_ns: int
    ts_received_ns: int  # core time, for facts
    source: str  # "" for facts
    body: AnyBody


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder: msgspec.json.Decoder[AnyBody] = msgspec.json.Decoder(AnyBody)


def encode_body(body: AnyBody) -> bytes:
    """Canonical JSON, tag included."""
    return _encoder.encode(body)


def decode_body(payload: bytes | str) -> AnyBody:
    """Raises msgspec.ValidationError for an unknown type or a field out of its domain."""
    return _decoder.decode(payload)


def type_name(body: Any) -> str:
    return type(body).__name__
