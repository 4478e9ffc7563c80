"""Places outside of the journal that are given signed heads: a file, a program, a web server."""

import asyncio
import logging
import os
import signal
import ssl
import threading
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

from tradingd.journal.errors import one_line
from tradingd.journal.folder import fsync_folder
from tradingd.journal.settings import (
    AnchorSettings,
    CommandAnchorSettings,
    FileAnchorSettings,
    HttpAnchorSettings,
)

SAID_BYTES_MAX = 4096  # of what a program prints about its failure


class AnchorError(Exception):
    """A line did not come there, or nobody knows whether it did; one line that says why."""


class Anchor(Protocol):
    """`send` returns once the line is kept; it may be cancelled. Raises AnchorError."""

    @property
    def name(self) -> str: ...

    async def send(self, line: bytes) -> None: ...


def build_anchor(settings: AnchorSettings) -> Anchor:
    if isinstance(settings, FileAnchorSettings):
        return FileAnchor(settings)
    if isinstance(settings, CommandAnchorSettings):
        return CommandAnchor(settings)
    return HttpAnchor(settings)


async def send_in_time(anchor: Anchor, line: bytes, timeout_s: float) -> None:
    """Raises AnchorError, also where it takes too long."""
    try:
        async with asyncio.timeout(timeout_s):
            await anchor.send(line)
    except TimeoutError as error:
        raise AnchorError(f"no answer within {timeout_s:g} s") from error


class Aside:
    """Blocking work in a thread that nobody has to wait for: a disk or server that hangs keeps no process alive."""

    def __init__(self) -> None:
        self._busy: asyncio.Future[None] | None = None

    async def run(self, work: Callable[[], None]) -> None:
        """One after the other: waits for work that was given up before. What `work` raises comes out."""
        if self._busy is not None:
            await asyncio.wait([self._busy])
        self._busy = done = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda ended: ended.exception())  # heard, even if nobody waits any more
        threading.Thread(target=_run, args=(work, done), name="anchor", daemon=True).start()
        await asyncio.shield(done)


def _run(work: Callable[[], None], done: asyncio.Future[None]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 (it is raised where the work is waited for)
        _tell(done, partial(done.set_exception, error))
    else:
        _tell(done, partial(done.set_result, None))


def _tell(done: asyncio.Future[None], outcome: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop has ended without it
        done.get_loop().call_soon_threadsafe(outcome)


class FileAnchor:
    """Appends, so that the file may be one that can only be appended to (chattr +a)."""

    def __init__(self, settings: FileAnchorSettings) -> None:
        self.name = settings.name
        self._path = Path(settings.path)
        self._aside = Aside()

    async def send(self, line: bytes) -> None:
        await self._aside.run(lambda: self._append(line))

    def _append(self, line: bytes) -> None:
        try:
            is_new = not self._path.exists()
            fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                _append_line(fd, line)
            finally:
                os.close(fd)
            if is_new:
                fsync_folder(self._path.parent)
        except OSError as error:
            raise AnchorError(error.strerror or str(error)) from error


def _append_line(fd: int, line: bytes) -> None:
    """A line that was left half written before stays, and ends."""
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        line = b"\n" + line
    written = os.write(fd, line)
    os.fsync(fd)
    if written != len(line):
        raise AnchorError(f"only {written} of {len(line)} bytes could be written")


class CommandAnchor:
    """A program of its own session, which is killed with all that it started where it takes too long."""

    def __init__(self, settings: CommandAnchorSettings) -> None:
        self.name = settings.name
        self._argv = settings.argv

    async def send(self, line: bytes) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv, stdin=PIPE, stdout=DEVNULL, stderr=PIPE, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise AnchorError(f"{self._argv[0]} can not be run: {one_line(error)}") from error
        took = False
        try:
            await _feed(process, line)
            took = True
        finally:
            if not took:
                await _kill(process)


async def _feed(process: Process, line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.close()
    said = await _last_said(process)
    code = await process.wait()
    if code != 0:
        raise AnchorError(f"it ended with {code}" + (f": {said}" if said else ""))


async def _last_said(process: Process) -> str:
    """The last line on standard error, however much there is."""
    assert process.stderr is not None
    kept = b""
    while chunk := await process.stderr.read(SAID_BYTES_MAX):
        kept = (kept + chunk)[-SAID_BYTES_MAX:]
    lines = kept.decode(errors="replace").split("\n")
    return next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "")


async def _kill(process: Process) -> None:
    """With all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


class HttpAnchor:
    """A connection of its own for each line: there are seconds between two."""

    def __init__(self, settings: HttpAnchorSettings) -> None:
        import httpx

        logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log each address, with what is secret in it
        self.name = settings.name
        self._settings = settings
        self._aside = Aside()
        self._trusted: ssl.SSLContext = httpx.create_ssl_context()  # takes long: before the daemon trades

    async def send(self, line: bytes) -> None:
        await self._aside.run(lambda: self._post(line))

    def _post(self, line: bytes) -> None:
        import httpx

        headers = {"content-type": "application/json"}
        try:
            with (
                httpx.Client(verify=self._trusted, timeout=self._settings.timeout_s) as client,
                client.stream("POST", self._settings.url, content=line, headers=headers) as answer,
            ):
                if not answer.is_success:
                    raise AnchorError(f"it answered {answer.status_code} {answer.reason_phrase}".rstrip())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AnchorError(f"{type(error).__name__}: {one_line(error)}") from error
