"""What a depth backtest is of: a market maker, an instrument, an account, a venue with its latencies."""

import enum
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from tradingd.backtesting.settings import checked
from tradingd.instruments import AccountSettings, Instrument
from tradingd.strategies.settings import ParamValue

LatencyNs = Annotated[int, Meta(ge=0, le=3_600_000_000_000)]


class Queue(enum.StrEnum):
    """How the queue before an order shrinks; kernels.depth_queue has the models."""

    RISK_AVERSE = "risk_averse"
    POWER_1 = "power_1"
    POWER_2 = "power_2"
    POWER_3 = "power_3"

    @property
    def power(self) -> int:
        return 0 if self is Queue.RISK_AVERSE else int(self.value[-1])


class DepthVenueSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """entry_latency_ns     from a request of ours to the exchange
    response_latency_ns  from the exchange to us, for what it says of our orders
    queue                the model of queue position
    partial_fills        orders are filled by what was there, and no more; else whole or not at all
    """

    entry_latency_ns: LatencyNs = 5_000_000
    response_latency_ns: LatencyNs = 5_000_000
    queue: Queue = Queue.RISK_AVERSE
    partial_fills: bool = False


class DepthSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """kind       of the market maker: a built-in name or "path/to/file.py:name"
    strategy   its parameters
    step_ns    between its steps, local time; 0: a step after each message of the feed
    sample_ns  between samples of equity
    """

    kind: str
    strategy: dict[str, ParamValue] = {}
    instrument: Instrument
    account: AccountSettings
    venue: DepthVenueSettings = DepthVenueSettings()
    step_ns: LatencyNs = 100_000_000
    sample_ns: Annotated[int, Meta(gt=0, le=86_400_000_000_000)] = 1_000_000_000


def settings_of(raw: Mapping[str, Any]) -> DepthSettings:
    """Raises ConfigError, with a line for each problem."""
    return checked(raw, DepthSettings)
