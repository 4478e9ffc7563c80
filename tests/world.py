"""A small world for tests of the core: two instruments, a market of random rows, strategies that trade it."""

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct

from tradingd.columns import NO_VENUE_ID, QUOTE, TRADE, TickBatch, tick_batch
from tradingd.commit import Commit
from tradingd.core.advance import Item, advance
from tradingd.core.memory import Library
from tradingd.core.settings import BarSettings, CoreSettings, encode_settings
from tradingd.core.state import State, initial_state, kinds_of
from tradingd.events import Event, Input, RunStarted
from tradingd.instruments import AccountSettings, AssetClass, Fees, Instrument, Margin, PriceSource
from tradingd.risk.settings import RiskSettings
from tradingd.simulation.settings import SimulationSettings
from tradingd.strategies.contract import Bar, PythonStrategy, Target
from tradingd.strategies.loader import load_strategy
from tradingd.strategies.settings import CombineSettings, ExitSettings, StrategySettings

T0 = 1_700_000_000_000_000_000
S = 1_000_000_000

ALFA = Instrument(
    id="SIM:ALFA",
    asset_class=AssetClass.EQUITY,
    tick_size=0.01,
    lot_size=1.0,
    currency="USD",
    fees=Fees(per_unit=0.005),
    margin=Margin(initial_rate=0.5, maintenance_rate=0.25),
)
EURUSD = Instrument(
    id="SIM:EURUSD",
    asset_class=AssetClass.FX,
    tick_size=0.00001,
    lot_size=1000.0,
    currency="USD",
    fees=Fees(taker_rate=0.00002),
    price_source=PriceSource.MID,
)


class Contrary(PythonStrategy):
    """Against the last bar's move; the plain Python kind."""

    class State(Struct):
        last: float = 0.0

    def on_bar(self, state: State, bar: Bar, params: object) -> Target | None:
        move, state.last = bar.close - state.last, bar.close
        return Target(-0.5 if move > 0 else 0.5, stop=bar.close * (1.01 if move > 0 else 0.99))


STRATEGIES = (
    StrategySettings(
        name="cross",
        kind="sma_cross",
        instruments=("SIM:ALFA", "SIM:EURUSD"),
        timeframe="1s",
        params={"fast": 2, "slow": 5},
        exits=(ExitSettings(kind="fixed_ratio"),),
        weight=2.0,
        allocation=0.5,
    ),
    StrategySettings(name="flip", kind="coin_flip", instruments=("SIM:ALFA",), timeframe="1s", allocation=0.2),
    StrategySettings(
        name="pair",
        kind="pair_reversion",
        instruments=("SIM:EURUSD", "SIM:ALFA"),
        timeframe="1s",
        params={"period": 10},
        exits=(ExitSettings(kind="fixed_ratio", params={"fraction": 0.01}),),
        allocation=0.2,
    ),
    StrategySettings(name="contrary", kind="Contrary", instruments=("SIM:EURUSD",), timeframe="1m", allocation=0.3),
)
SETTINGS = CoreSettings(
    instruments=(ALFA, EURUSD),
    accounts=(AccountSettings("USD", "1000000"),),
    strategies=STRATEGIES,
    combine=CombineSettings(),
    risk=RiskSettings(order_rate=50, drawdown=0.02),
    simulation=SimulationSettings(latency_ms=20.0, slippage_ticks=1),
    bars=BarSettings(timeframes=("1s", "1m", "5m"), grace_ms=500),
)


def library_of(settings: CoreSettings, base: object = None) -> Library:
    return {kind: Contrary if kind == "Contrary" else load_strategy(kind, base) for kind in kinds_of(settings)}  # type: ignore[arg-type]


def started(settings: CoreSettings) -> Input:
    body = RunStarted(
        journal_id="TESTTEST",
        epoch=1,
        config=encode_settings(settings),
        config_digest="",
        code_digest="",
        sources=("market",),
    )
    return Input(T0, 0, "daemon", body)


def market(rows: int, seed: int, late: float = 0.02) -> TickBatch:
    """Trades of ALFA and quotes of EURUSD on a random walk; a few event times lie in the past."""
    rng = np.random.default_rng(seed)
    received = T0 + np.cumsum(rng.exponential(0.15 * S, rows).astype(np.int64))
    event = received - rng.integers(0, 50_000_000, rows) - (rng.random(rows) < late) * 3 * S
    fx = rng.random(rows) < 0.5
    walk = np.cumsum(rng.standard_normal(rows))
    alfa = np.round(100 + 0.03 * walk, 2)
    bid = np.round(1.1 + 0.00005 * walk, 5)
    return tick_batch(
        0,
        kind=np.where(fx, QUOTE, TRADE),
        instrument=fx.astype(np.uint16),
        ts_event_ns=event,
        ts_received_ns=received,
        price=np.where(fx, bid, alfa),
        size=np.where(fx, 1e6, rng.integers(1, 400, rows)),
        ask_price=np.where(fx, np.round(bid + 0.00002, 5), np.nan),
        ask_size=np.where(fx, 1e6, np.nan),
        venue_id=NO_VENUE_ID,
    )


class Played:
    """A run of the core over items: its state and all that came out."""

    def __init__(self, settings: CoreSettings, items: Iterable[Sequence[Item]]) -> None:
        self.state: State = initial_state(settings, library_of(settings))
        self.commits: list[Commit] = [advance(self.state, [started(settings)])]
        self.commits += [advance(self.state, batch) for batch in items]

    @property
    def events(self) -> list[Event]:
        return [event for commit in self.commits for event in commit.events]

    @property
    def bars(self) -> list[tuple[object, ...]]:
        return [
            (seq, n, *row)
            for commit in self.commits
            for seq, n, row in zip(
                commit.bars.seq.tolist(), commit.bars.n.tolist(), commit.bars.rows.tolist(), strict=True
            )
        ]

    def bodies(self, kind: type) -> list[object]:
        return [event.body for event in self.events if isinstance(event.body, kind)]
