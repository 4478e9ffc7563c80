"""The same bars through the kernel engine, the event engine and a paper daemon of its own."""

import asyncio
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradingd.backtesting.engine import Executed
    from tradingd.backtesting.result import Result


def others(result: "Result", base: Path) -> dict[str, "Executed"]:
    """What the event engine and the daemon make of it, by name."""
    from tradingd.backtesting.event import execute_by_core

    return {
        "event": execute_by_core(result.settings, result.bars, result.library, funding=result.funding),
        "daemon": by_daemon(result, base),
    }


def by_daemon(result: "Result", base: Path) -> "Executed":
    """Of a journal that a paper daemon wrote, which took the bars from a file."""
    from tradingd.backtesting.event import daemon_config
    from tradingd.backtesting.record import Record
    from tradingd.config.load import resolve
    from tradingd.daemon.daemon import Daemon
    from tradingd.daemon.prepare import prepare
    from tradingd.journal.reader import JournalReader

    settings = result.settings
    record = Record([settings.instrument])
    with _quiet(), tempfile.TemporaryDirectory(prefix="tradingd-") as folder:
        raw = daemon_config(settings, result.bars, result.funding, Path(folder), base)
        config = resolve(raw, Path(folder))
        asyncio.run(Daemon(prepare(config, Path(folder)), until_done=True).run())
        with JournalReader.open(Path(config.journal.folder)) as reader:
            for commit in reader.commits():
                record.take(commit.events)
    return record.executed(0, result.bars, settings.account)


@contextmanager
def _quiet() -> Iterator[None]:
    """What the daemon would tell an operator of orders is nothing to who compares engines."""
    log = logging.getLogger("tradingd")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
