"""The runs of a journal, and the names and units that make its events readable."""

from dataclasses import dataclass
from functools import cached_property

import msgspec

from tradingd.audit.errors import AuditError
from tradingd.commit import Commit
from tradingd.core.settings import CoreSettings, decode_settings
from tradingd.events import RunStarted
from tradingd.grid import money_text
from tradingd.journal.reader import JournalReader

ASK = "`trade verify` says whether it was changed"


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


@dataclass(frozen=True)
class Run:
    """One start of the daemon and where it stands."""

    seq: int
    body: RunStarted

    @cached_property
    def names(self) -> Names:
        """Raises AuditError."""
        try:
            return Names(decode_settings(self.body.config), self.body.sources)
        except msgspec.MsgspecError as error:
            raise AuditError(f"the config recorded at seq {self.seq} can not be read ({error}); {ASK}") from error


def runs_of(reader: JournalReader) -> list[Run]:
    """Oldest first. Raises AuditError."""
    try:
        events = list(reader.events(RunStarted))
    except msgspec.MsgspecError as error:
        raise AuditError(f"a recorded start of a run can not be read ({error}); {ASK}") from error
    return [Run(event.seq, event.body) for event in reversed(events) if isinstance(event.body, RunStarted)]


def sound(recorded: Commit, instruments: int) -> Commit:
    """The commit, if compiled code can take its ticks: it does not look where an index points.

    Raises AuditError for a tick of an instrument that there is not, which only tampering can have made.
    """
    for first, batch in recorded.ticks:
        if len(batch) and int(batch.instrument.max()) >= instruments:
            raise AuditError(f"the ticks from seq {first} name an instrument that the journal does not have; {ASK}")
    return recorded


def run_at(reader: JournalReader, seq: int) -> Run:
    """The run that took the input `seq`. Raises AuditError where there is none."""
    found = [run for run in runs_of(reader) if run.seq <= seq]
    if not found:
        raise AuditError(f"no run of this journal began at or before seq {seq}")
    return found[-1]
