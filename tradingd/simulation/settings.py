"""What the config says about the simulated venue."""

from typing import Annotated

from msgspec import Meta, Struct


class SimulationSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """latency_ms         from a request to the venue
    cancel_latency_ms  from a cancel request to the venue
    slippage_rate      fraction of the price by which market and stop orders fill worse than what they met
    slippage_ticks     and by so many ticks more
    fill_ratio         part of a recorded size that our orders may take
    volume_share       part of a bar's volume that our orders may fill together; None = as much as is wanted
    """

    latency_ms: Annotated[float, Meta(ge=0)] = 50.0
    cancel_latency_ms: Annotated[float, Meta(ge=0)] = 50.0
    slippage_rate: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    slippage_ticks: Annotated[int, Meta(ge=0)] = 0
    fill_ratio: Annotated[float, Meta(gt=0, le=1)] = 1.0
    volume_share: Annotated[float, Meta(gt=0, le=1)] | None = None
