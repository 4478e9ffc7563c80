"""Has old segments joined and archived; should that fail it is tried again later, trading goes on."""

import asyncio
import logging

from tradingd.daemon import helper
from tradingd.journal import retention
from tradingd.journal.settings import RetentionSettings
from tradingd.journal.writer import Journal

EVERY_S = 3600.0
LOOK_S = 0.25

log = logging.getLogger("tradingd")


async def keep_retention(journal: Journal, wanted: RetentionSettings | None) -> None:
    """Every hour, and first when all that an earlier run left is sealed, until it is cancelled."""
    while wanted is not None:
        await _until_sealed(journal)
        if (why := await helper.why_failed(retention.command(journal.paths, journal.settings, wanted))) is not None:
            log.warning("old segments are not archived: %s; it is tried again in %g s", why, EVERY_S)
        await asyncio.sleep(EVERY_S)


async def _until_sealed(journal: Journal) -> None:
    while journal.unsealed():
        await asyncio.sleep(LOOK_S)
