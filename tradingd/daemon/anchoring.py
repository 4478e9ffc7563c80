"""Signs heads of the journal and takes them to their anchors, beside trading: nothing that trades waits for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tradingd.config.settings import JournalPlace
from tradingd.daemon.anchors import Anchor, AnchorError, build_anchor, send_in_time
from tradingd.daemon.inbox import InboxClosed
from tradingd.events import AnchorState, AnchorStatus
from tradingd.journal import heads
from tradingd.journal.folder import Identity, Paths, read_identity
from tradingd.journal.head import Head
from tradingd.journal.heads import HeadsFile
from tradingd.journal.signing import SignedHead, Signer, encode_line, load_signer

RETRY_S_MIN, RETRY_S_MAX = 1.0, 300.0

T = TypeVar("T")
Tell = Callable[[AnchorStatus, str], Awaitable[object]]

log = logging.getLogger("tradingd")


@dataclass(frozen=True, slots=True)
class Signing:
    """What a run signs its heads with, and where they go."""

    signer: Signer
    identity: Identity
    heads_file: HeadsFile
    anchors: tuple[tuple[Anchor, float], ...]  # with the seconds that each may take
    every_commits: int


def signer_of(settings: JournalPlace) -> Signer | None:
    """None where heads are not to be signed. Raises SigningError."""
    return load_signer(Path(settings.signing.key_file)) if settings.signing else None


def signing_of(settings: JournalPlace, signer: Signer | None) -> Signing | None:
    """Of a journal that is open for append. Raises JournalDamaged, OSError."""
    if settings.signing is None or signer is None:
        return None
    folder = Path(settings.folder)
    anchors = tuple((build_anchor(anchor), anchor.timeout_s) for anchor in settings.anchors)
    identity = read_identity(Paths(folder))
    return Signing(signer, identity, HeadsFile.open(folder), anchors, settings.signing.every_commits)


class Newest(Generic[T]):
    """Room for one: who is slow gets the newest and skips the others."""

    def __init__(self) -> None:
        self._value: T | None = None
        self._there = asyncio.Event()

    def put(self, value: T) -> None:
        self._value = value
        self._there.set()

    async def take(self) -> T:
        await self._there.wait()
        value = self.take_if_there()
        assert value is not None
        return value

    def take_if_there(self) -> T | None:
        value, self._value = self._value, None
        self._there.clear()
        return value


class Reports:
    """Tells what has become of an anchor when that changes."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._states: dict[str, AnchorState] = {}

    async def working(self, anchor: str, head: SignedHead) -> None:
        await self._report(AnchorStatus(anchor, AnchorState.WORKING, f"it has commit {head.commit_no}"))

    async def failing(self, anchor: str, why: str) -> None:
        await self._report(AnchorStatus(anchor, AnchorState.FAILING, why))

    async def _report(self, status: AnchorStatus) -> None:
        if self._states.get(status.anchor) is status.state:
            return
        self._states[status.anchor] = status.state
        level = logging.WARNING if status.state is AnchorState.FAILING else logging.INFO
        log.log(level, "anchor %s: %s, %s", status.anchor, status.state, status.text)
        with suppress(InboxClosed):  # the run is over; the log has it
            await self._tell(status, "daemon")


class Lane:
    """The way to one anchor; a failure is tried again, later each time."""

    def __init__(self, anchor: Anchor, timeout_s: float, reports: Reports) -> None:
        self._anchor = anchor
        self._timeout_s = timeout_s
        self._reports = reports
        self.newest: Newest[SignedHead] = Newest()

    async def run(self) -> None:
        while True:
            await self._until_taken(await self.newest.take())

    async def _until_taken(self, head: SignedHead) -> None:
        wait_s = RETRY_S_MIN
        while not await self.send(head):
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_S_MAX)
            head = self.newest.take_if_there() or head

    async def send(self, head: SignedHead) -> bool:
        """Whether the anchor has it."""
        try:
            await send_in_time(self._anchor, encode_line(head), self._timeout_s)
        except AnchorError as error:
            await self._reports.failing(self._anchor.name, str(error))
            return False
        await self._reports.working(self._anchor.name, head)
        return True


class Anchoring:
    """`durable` is called with every durable head and returns at once; `run` goes on until it is cancelled."""

    def __init__(self, signing: Signing | None, tell: Tell) -> None:
        self._signing = signing
        self._reports = Reports(tell)
        self._waiting: Newest[Head] = Newest()
        self._asked: Head | None = None  # newest head that was to be signed
        anchors = signing.anchors if signing else ()
        self._lanes = [Lane(anchor, timeout_s, self._reports) for anchor, timeout_s in anchors]

    def durable(self, head: Head) -> None:
        """A commit is durable, or a segment has ended."""
        if self._signing is not None and _is_due(self._asked, head, self._signing.every_commits):
            self._asked = head
            self._waiting.put(head)

    async def run(self) -> None:
        if self._signing is None:
            return
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(lane.run())
            while True:
                await self._sign(self._signing, await self._waiting.take())

    async def finish(self, head: Head) -> None:
        """The last head of a run, after `run` has ended: one attempt each."""
        if self._signing is None:
            return
        signed = await self._signed(self._signing, head)
        if signed is not None:
            await asyncio.gather(*(lane.send(signed) for lane in self._lanes))
        self._signing.heads_file.close()

    async def _sign(self, signing: Signing, head: Head) -> None:
        signed = await self._signed(signing, head)
        if signed is not None:
            for lane in self._lanes:
                lane.newest.put(signed)

    async def _signed(self, signing: Signing, head: Head) -> SignedHead | None:
        """None where heads.jsonl could not be written: what is not kept there goes nowhere."""
        signed = signing.signer.sign(signing.identity, head)
        try:
            await asyncio.to_thread(signing.heads_file.append, encode_line(signed))
        except OSError as error:
            await self._reports.failing(heads.NAME, error.strerror or str(error))
            return None
        await self._reports.working(heads.NAME, signed)
        return signed


def _is_due(asked: Head | None, head: Head, every_commits: int) -> bool:
    """Also at the start of a run and at the end of a segment."""
    return asked is None or head.segment != asked.segment or head.commit_no - asked.commit_no >= every_commits
