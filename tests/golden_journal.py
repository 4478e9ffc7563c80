"""What a journal holds, in words that no later version changes: for golden journals."""

from collections import Counter
from pathlib import Path
from typing import Any

from tradingd.core.record import fold, started
from tradingd.core.settings import CoreSettings, decode_settings
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify
from tradingd.reducers.ledger import Ledger, open_ledger


def contents_of(folder: Path) -> dict[str, Any]:
    """The chain's end, how many events there are of each type, and the ledger that the recorded facts make."""
    report = verify(folder)
    assert report.ok, report.fault
    counts, ledger, settings = Counter[str](), None, None
    with JournalReader.open(folder) as reader:
        for commit in reader.commits():
            if (body := started(commit)) is not None:
                settings = decode_settings(body.config)
                ledger = ledger or open_ledger(settings.accounts)
            assert ledger is not None
            assert settings is not None
            fold(ledger, settings, commit)
            counts.update(type(event.body).__name__ for event in commit.events)
            counts["Tick"] += sum(len(batch) for _, batch in commit.ticks)
            counts["Bar"] += len(commit.bars)
    assert ledger is not None
    assert settings is not None
    end = {"last_seq": report.end.last_seq, "commits": report.end.commit_no, "digest": report.end.digest.hex()}
    return end | {"events": dict(sorted(counts.items()))} | _ledger(ledger, settings)


def _ledger(ledger: Ledger, settings: CoreSettings) -> dict[str, Any]:
    return {
        "balances": {currency: account.balance for currency, account in ledger.accounts.items()},
        "positions": {
            settings.instruments[index].id: [position.lots, position.cost]
            for index, position in sorted(ledger.positions.items())
            if position.lots
        },
        "resting": sorted(ledger.orders),
        "cursors": dict(sorted(ledger.cursors.items())),
    }
