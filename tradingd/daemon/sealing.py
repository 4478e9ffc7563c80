"""Keeps every segment that was rolled over sealed; a seal that fails is tried again later, trading goes on."""

import asyncio
import logging

from tradingd.daemon import helper
from tradingd.journal import sealer
from tradingd.journal.writer import Journal

LOOK_S = 0.25
RETRY_S = 60.0

log = logging.getLogger("tradingd")


async def keep_sealed(journal: Journal) -> None:
    """Until it is cancelled."""
    while True:
        await asyncio.sleep(LOOK_S if await seal_all(journal) else RETRY_S)


async def seal_all(journal: Journal) -> bool:
    """Whether all could be sealed."""
    for number in journal.unsealed():
        if (why := await _seal(journal, number)) is not None:
            log.warning("segment %d is not sealed yet: %s; it stays readable and is tried again", number, why)
            return False
    return True


async def _seal(journal: Journal, number: int) -> str | None:
    """Why it failed. Whoever stops does not wait for a seal: the next start finishes it."""
    command = sealer.command(journal.paths, number, journal.settings)
    return await helper.why_failed(command, fds=[journal.lock_fd])
