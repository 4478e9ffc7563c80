"""Free space below a reserve stops new exposure; what is left takes the record of how positions are closed."""

import asyncio
import shutil
from pathlib import Path

from tradingd.daemon.inbox import Inbox
from tradingd.events import Command, OperatorCommand

LOOK_S = 1.0
ACTOR = "daemon"


async def keep_reserve(folder: Path, reserve_mb: int, inbox: Inbox) -> None:
    """Halts each time that free space falls below the reserve, and at once where it is so from the start."""
    was_low = False
    while reserve_mb:
        free_mb = shutil.disk_usage(folder).free // 1_000_000
        is_low = free_mb < reserve_mb
        if is_low and not was_low:
            reason = f"{free_mb} MB are free at {folder}, the reserve is {reserve_mb} MB: make room, then resume"
            await inbox.say(OperatorCommand(Command.HALT, ACTOR, reason), ACTOR)
        was_low = is_low
        await asyncio.sleep(LOOK_S)
