"""The part of a config that decides what the core does; journalled with every start, so a replay needs no file."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tradingd.columns import TIMEFRAMES, Timeframe
from tradingd.instruments import AccountSettings, Instrument
from tradingd.risk.settings import RiskSettings
from tradingd.simulation.settings import SimulationSettings
from tradingd.strategies.settings import CombineSettings, StrategySettings


class BarSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which bars are made of every instrument, besides those that strategies ask for.

    A bar closes at the first tick at or after its end, or when core time reaches its end + grace.
    """

    timeframes: tuple[Timeframe, ...] = ("1m",)
    grace_ms: Annotated[int, Meta(ge=0)] = 2000


class CoreSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    instruments: Annotated[tuple[Instrument, ...], Meta(min_length=1)]
    accounts: Annotated[tuple[AccountSettings, ...], Meta(min_length=1)]
    strategies: tuple[StrategySettings, ...] = ()
    combine: CombineSettings = CombineSettings()
    risk: RiskSettings = RiskSettings()
    simulation: SimulationSettings = SimulationSettings()
    bars: BarSettings = BarSettings()

    def timeframes_of(self, instrument: str) -> list[int]:
        """Indices of the timeframes in use for an instrument, finest first."""
        asked = {s.timeframe for s in self.strategies if instrument in s.instruments} | set(self.bars.timeframes)
        return [index for index, name in enumerate(TIMEFRAMES) if name in asked]


def encode_settings(settings: CoreSettings) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(settings, order="deterministic"))


def decode_settings(payload: msgspec.Raw | bytes) -> CoreSettings:
    """Raises msgspec.ValidationError."""
    return msgspec.json.decode(bytes(payload), type=CoreSettings)
