"""What goes over the control socket: one JSON object per line, a request in and a reply out."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tradingd.events import AnyBody, Command, FeedState

REQUEST_BYTES_MAX = 16 * 1024
REPLY_BYTES_MAX = 4 * 1024 * 1024


class Request(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`reason` is journalled with a command; status and tail have none. After `tail` there are only lines to read."""

    op: Literal["status", "tail", "halt", "resume", "flatten", "stop"]
    reason: Annotated[str, Meta(max_length=500)] = ""

    @property
    def command(self) -> Command | None:
        return None if self.op in ("status", "tail") else Command(self.op)


class FeedView(Struct, frozen=True):
    name: str
    state: FeedState | None = None  # None before it first reported
    detail: str = ""


class AccountView(Struct, frozen=True):
    """Money as decimal text."""

    currency: str
    balance: str
    equity: str


class PositionView(Struct, frozen=True):
    instrument: str
    quantity: float
    average_price: float
    unrealized: str  # money as decimal text


class Status(Struct, frozen=True, kw_only=True, tag="status"):
    """What the daemon knows as of `seq`, which is durable."""

    instance: str
    state: Literal["starting", "running", "halted", "stopping"]
    pid: int
    journal: str
    epoch: int
    seq: int
    core_time_ns: int
    halted_by: str = ""
    halt_text: str = ""
    feeds: tuple[FeedView, ...] = ()
    accounts: tuple[AccountView, ...] = ()
    positions: tuple[PositionView, ...] = ()
    open_orders: int = 0
    in_doubt_orders: int = 0
    counts: dict[str, int] = {}  # events of this run by type


class Recorded(Struct, frozen=True, tag="recorded"):
    """The command is durable in the journal at `seq`; what it caused follows it there."""

    seq: int


class Failed(Struct, frozen=True, tag="failed"):
    error: str


class Following(Struct, frozen=True, tag="following"):
    """The first line of a tail: the events after `seq` come next. Config and sources say what indices mean."""

    seq: int
    config: msgspec.Raw
    sources: tuple[str, ...]


class Happened(Struct, frozen=True, tag="event"):
    """An event that is durable; ticks and bars are not told."""

    seq: int
    n: int
    ts_event_ns: int
    ts_received_ns: int
    source: str
    body: AnyBody


Reply = Status | Recorded | Failed
Line = Following | Happened | Failed  # of a tail; Failed is the last one

_encoder = msgspec.json.Encoder()
_requests = msgspec.json.Decoder(Request)
_replies: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)
_lines: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def encode(message: Request | Reply | Line) -> bytes:
    """One line, its end included; JSON escapes line ends inside of strings."""
    return _encoder.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Raises msgspec.DecodeError (of which ValidationError is one)."""
    return _requests.decode(line)


def decode_reply(line: bytes) -> Reply:
    """Raises msgspec.DecodeError."""
    return _replies.decode(line)


def decode_line(line: bytes) -> Line:
    """Raises msgspec.DecodeError."""
    return _lines.decode(line)
