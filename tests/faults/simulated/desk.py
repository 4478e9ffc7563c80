"""What is configured, by seed: instruments, strategies, limits, latencies, and what they are changed to."""

import random
from typing import Any

from msgspec.structs import replace

from tradingd.core.settings import BarSettings, CoreSettings
from tradingd.instruments import AccountSettings, AssetClass, Fees, Instrument, Margin, PriceSource
from tradingd.risk.settings import RiskSettings
from tradingd.simulation.settings import SimulationSettings
from tradingd.strategies.settings import CombineSettings, ExitSettings, StrategySettings

SHARE = Instrument(
    id="SIM:SHARE",
    asset_class=AssetClass.EQUITY,
    tick_size=0.01,
    lot_size=1.0,
    currency="USD",
    fees=Fees(per_unit=0.005, minimum=0.35),
    margin=Margin(initial_rate=0.5, maintenance_rate=0.25),
)
PAIR = Instrument(
    id="SIM:PAIR",
    asset_class=AssetClass.FX,
    tick_size=0.00001,
    lot_size=1000.0,
    currency="USD",
    fees=Fees(taker_rate=0.00002),
    margin=Margin(initial_rate=0.05, maintenance_rate=0.03),
    price_source=PriceSource.MID,
)
COIN = Instrument(
    id="SIM:COIN",
    asset_class=AssetClass.PERPETUAL,
    tick_size=0.5,
    lot_size=0.001,
    currency="EUR",
    multiplier=10.0,
    fees=Fees(maker_rate=-0.0001, taker_rate=0.0005),
    margin=Margin(initial_rate=0.1, maintenance_rate=0.06),
)
INSTRUMENTS = (SHARE, PAIR, COIN)
ACCOUNTS = (AccountSettings("USD", "100000"), AccountSettings("EUR", "20000", "0.0001"))
EXITS = ((), (ExitSettings("fixed_ratio"),), (ExitSettings("trailing_atr", {"period": 3}),))
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sma_cross", {"fast": 2, "slow": 5}),
    ("sma_cross", {"fast": 1, "slow": 3, "long_only": True}),
    ("coin_flip", {"hold_bars": 4}),
    ("coin_flip", {"hold_bars": 1, "seed": 9}),
    ("mean_reversion", {"period": 4, "entry": 1.0}),
)


def settings_by(rng: random.Random) -> CoreSettings:
    return CoreSettings(
        instruments=INSTRUMENTS,
        accounts=ACCOUNTS,
        strategies=tuple(_strategy(rng, number) for number in range(rng.randint(1, 3))),
        combine=CombineSettings(quorum=rng.choice((1, 1, 2))),
        risk=_risk(rng),
        simulation=_venue(rng),
        bars=BarSettings(timeframes=rng.choice((("1s",), ("1m",), ("1s", "1m"))), grace_ms=rng.choice((0, 500, 5000))),
    )


def changed(settings: CoreSettings, rng: random.Random) -> CoreSettings:
    """What may change between two runs while positions are open."""
    other = settings_by(rng)
    part = rng.choice(("risk", "simulation", "strategies", "bars"))
    return replace(settings, **{part: getattr(other, part)})


def _strategy(rng: random.Random, number: int) -> StrategySettings:
    kind, params = rng.choice(KINDS)
    return StrategySettings(
        name=f"strategy{number}",
        kind=kind,
        params=params,
        instruments=tuple(i.id for i in rng.sample(INSTRUMENTS, rng.randint(1, 3))),
        timeframe="1s",
        exits=rng.choice(EXITS),
        weight=rng.choice((1.0, 2.5)),
        allocation=rng.choice((0.2, 0.5, 1.0)),
    )


def _risk(rng: random.Random) -> RiskSettings:
    return RiskSettings(
        risk_per_trade=rng.choice((None, None, 0.002)),
        max_leverage=rng.choice((1.0, 3.0)),
        max_quantity=rng.choice((None, None, 400.0)),
        max_notional=rng.choice((None, None, 30_000.0)),
        order_rate=rng.choice((None, 50, 4)),
        duplicate_window_ms=rng.choice((0, 100)),
        position_limit=rng.choice((None, None, 500.0)),
        gross_limit=rng.choice((None, 2.0, 4.0)),
        concentration_limit=rng.choice((None, 0.5)),
        daily_loss=rng.choice((None, 0.05, 0.003)),
        drawdown=rng.choice((None, 0.2, 0.004)),
        stale_data_ms=rng.choice((None, 1500)),
        restricted=rng.choice(((), (), ("SIM:COIN",))),
        retry_interval_ms=rng.choice((1, 1000)),
        retries_max=rng.choice((0, 3, 60)),
    )


def _venue(rng: random.Random) -> SimulationSettings:
    return SimulationSettings(
        latency_ms=rng.choice((0.0, 20.0, 700.0, 5000.0)),
        cancel_latency_ms=rng.choice((0.0, 20.0, 1500.0)),
        slippage_ticks=rng.choice((0, 1)),
        fill_ratio=rng.choice((1.0, 0.1)),
    )
