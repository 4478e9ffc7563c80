"""A process that works for the daemon, and ends with the task that waits for it."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence


async def why_failed(command: Sequence[str], fds: Sequence[int] = ()) -> str | None:
    """Runs it to its end: the last line that it said, None where it succeeded. Its standard input is a pipe from here,
    `fds` are for it to hold.
    """
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stderr=PIPE, pass_fds=fds)
    try:
        return await _outcome(process)
    finally:
        await _end(process)


async def _outcome(process: Process) -> str | None:
    assert process.stderr is not None
    said = (await process.stderr.read()).decode(errors="replace").splitlines()
    code = await process.wait()
    return None if code == 0 else next(reversed(said), f"it ended with {code}")


async def _end(process: Process) -> None:
    """Whoever stops does not wait for it: the next start finishes what it did."""
    if process.returncode is None:
        process.kill()
        await process.wait()
