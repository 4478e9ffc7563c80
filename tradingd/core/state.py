"""All that the core knows: the ledger, folded from facts, and the memory, re-executable from inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

from tradingd.core.memory import Library, Memory, build_memory
from tradingd.core.settings import CoreSettings
from tradingd.reducers.ledger import Ledger, open_ledger
from tradingd.risk.context import RiskContext, RiskState
from tradingd.simulation.state import VenueState


@dataclass(slots=True)
class State:
    """`warming` re-executes inputs for the sake of memory alone: signals are heard, nothing is decided."""

    settings: CoreSettings
    ledger: Ledger
    memory: Memory
    seq: int = 0
    warming: bool = False

    def source_name(self, index: int) -> str:
        """The feed that a batch came from, by its index in the newest RunStarted."""
        run = self.ledger.run
        return run.sources[index] if run else str(index)

    def risk_context(self) -> RiskContext:
        settings, m = self.settings, self.memory
        return RiskContext(m.core_ns, settings.instruments, self.ledger, settings.risk, m.market, m.risk, m.exchange)


def initial_state(settings: CoreSettings, library: Library) -> State:
    """The state before the first input. Raises StrategyError and ValueError for settings that do not fit."""
    return State(settings, open_ledger(settings.accounts), build_memory(settings, library, VenueState(), RiskState()))


def kinds_of(settings: CoreSettings) -> Sequence[str]:
    """Kinds of all strategies and exits in use, each once, in order."""
    kinds = [kind for s in settings.strategies for kind in (s.kind, *(leave.kind for leave in s.exits))]
    return list(dict.fromkeys(kinds))
