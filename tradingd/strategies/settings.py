"""What the config says about strategies."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tradingd.columns import Timeframe
from tradingd.events import TimeInForce

ParamValue = bool | int | float
Name = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Kind = Annotated[str, Meta(min_length=1)]


class ExitSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One exit of a strategy: a built-in name or "path/to/file.py:name"."""

    kind: Kind
    params: dict[str, ParamValue] = {}


class StrategySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One strategy on the closed bars of one timeframe of its instruments, each with a state of its own; one that takes
    several at once (`pair_reversion`) has one state for exactly as many.

    weight      of its vote when strategies are combined
    allocation  fraction of the account's equity that a target of 1.0 stands for
    time_in_force   of orders that open or add
    """

    name: Name
    kind: Kind
    instruments: Annotated[tuple[str, ...], Meta(min_length=1)]
    timeframe: Timeframe
    params: dict[str, ParamValue] = {}
    exits: tuple[ExitSettings, ...] = ()
    weight: Annotated[float, Meta(gt=0)] = 1.0
    allocation: Annotated[float, Meta(gt=0, le=1)] = 1.0
    time_in_force: TimeInForce = TimeInForce.GTC


class CombineSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the signals of one instrument become one decision.

    min_confidence  signals below it do not vote
    quorum          votes needed for the side that wins, or there is no exposure
    """

    rule: Literal["weighted"] = "weighted"
    min_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.0
    quorum: Annotated[int, Meta(ge=1)] = 1
