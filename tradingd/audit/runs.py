"""The runs of a journal, and the names and units that make its events readable."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from tradingd.audit.errors import AuditError
from tradingd.core.settings import CoreSettings, decode_settings
from tradingd.events import RunStarted
from tradingd.journal.reader import JournalReader


@dataclass(frozen=True)
class Names:
    """What indices and money units mean."""

    settings: CoreSettings
    sources: tuple[str, ...]

    @cached_property
    def units_per_one(self) -> dict[str, int]:
        return {account.currency: account.units_per_one for account in self.settings.accounts}

    def instrument(self, index: int) -> str:
        return self.settings.instruments[index].id

    def index(self, instrument: str) -> int:
        """Raises AuditError."""
        ids = [known.id for known in self.settings.instruments]
        if instrument not in ids:
            raise AuditError(f"the journal has no instrument {instrument}; it has: {', '.join(ids)}")
        return ids.index(instrument)

    def money(self, units: int, currency: str) -> str:
        """A decimal with its currency."""
        return f"{money_text(units, self.units_per_one[currency])} {currency}"

    def instrument_money(self, units: int, index: int) -> str:
        return self.money(units, self.settings.instruments[index].currency)


def money_text(units: int, units_per_one: int) -> str:
    return f"{Decimal(units) / units_per_one:f}"


def names_of(run: RunStarted) -> Names:
    return Names(decode_settings(run.config), run.sources)


@dataclass(frozen=True, slots=True)
class Run:
    """One start of the daemon and where it stands."""

    seq: int
    body: RunStarted


def runs_of(reader: JournalReader) -> list[Run]:
    """Oldest first."""
    found = [Run(event.seq, event.body) for event in reader.events(RunStarted) if isinstance(event.body, RunStarted)]
    return found[::-1]


def run_at(reader: JournalReader, seq: int) -> Run:
    """The run that took the input `seq`. Raises AuditError where there is none."""
    found = [run for run in runs_of(reader) if run.seq <= seq]
    if not found:
        raise AuditError(f"no run of this journal began at or before seq {seq}")
    return found[-1]
