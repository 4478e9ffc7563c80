"""One instrument, one strategy that wants what it is told to, and ticks by hand: for tests of what the core does."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from world import ALFA, T0, S, started

from tradingd.columns import QUOTE, TRADE, tick_batch
from tradingd.commit import Commit
from tradingd.core.advance import advance
from tradingd.core.memory import Library
from tradingd.core.settings import BarSettings, CoreSettings
from tradingd.core.state import initial_state
from tradingd.events import AnyBody, Command, Input, OperatorCommand
from tradingd.instruments import AccountSettings, Fees, Financing
from tradingd.risk.settings import RiskSettings
from tradingd.simulation.settings import SimulationSettings
from tradingd.strategies.contract import Bar, PythonStrategy, Target
from tradingd.strategies.settings import StrategySettings

START_NS = T0 // S * S
FREE, ACCOUNT = Financing(), AccountSettings("USD", "100000")


class Desk:
    """`wishes` are what is wanted after the first bar, the second and so on; a bar of 1 s is closed by each tick."""

    def __init__(
        self,
        *wishes: Target | None,
        financing: Financing = FREE,
        account: AccountSettings = ACCOUNT,
        expires: str | None = None,
        **risk: Any,
    ) -> None:
        class Plan(PythonStrategy):
            class State(Struct):
                bars: int = 0

            def on_bar(self, state: State, bar: Bar, params: object) -> Target | None:
                state.bars += 1
                return wishes[state.bars - 1] if state.bars <= len(wishes) else None

        self.settings = CoreSettings(
            instruments=(replace(ALFA, fees=Fees(), financing=financing, expires=expires),),
            accounts=(account,),
            strategies=(StrategySettings(name="plan", kind="Plan", instruments=("SIM:ALFA",), timeframe="1s"),),
            risk=RiskSettings(**({"daily_loss": None, "drawdown": None} | risk)),
            simulation=SimulationSettings(latency_ms=20.0, cancel_latency_ms=40.0),
            bars=BarSettings(timeframes=("1s",)),
        )
        self.library: Library = {"Plan": Plan}
        self.state = initial_state(self.settings, self.library)
        self.commits: list[Commit] = [advance(self.state, [started(self.settings)])]
        self.now_ns = START_NS

    @property
    def lots(self) -> int:
        return self.state.ledger.lots(0)

    def trade(self, price: float, size: float = 10_000.0, *, after_s: float = 1.0) -> list[AnyBody]:
        """One trade in the market; what comes of it."""
        self.now_ns += round(after_s * S)
        times = np.array([self.now_ns])
        return self._take(tick_batch(0, kind=TRADE, instrument=0, ts_event_ns=times, price=[price], size=[size]))

    def quote(self, bid: float, ask: float) -> list[AnyBody]:
        """Both sides of the market now, as much as is wanted."""
        times = np.array([self.now_ns])
        return self._take(tick_batch(0, kind=QUOTE, instrument=0, ts_event_ns=times, price=[bid], ask_price=[ask]))

    def trades(self, *prices: float) -> list[AnyBody]:
        return [body for price in prices for body in self.trade(price)]

    def say(self, command: Command) -> list[AnyBody]:
        said = OperatorCommand(command, "uid=0(test) pid=1", "a test")
        return self._take(Input(self.now_ns, self.now_ns, "operator", said))

    def _take(self, item: Any) -> list[AnyBody]:
        self.commits.append(advance(self.state, [item]))
        return [event.body for event in self.commits[-1].events if event.n]


def of(kind: type[Any], bodies: Sequence[AnyBody]) -> list[Any]:
    return [body for body in bodies if isinstance(body, kind)]
