"""The folder of a journal: its files, its identity and its lock."""

import base64
import fcntl
import os
import re
import secrets
import time
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import msgspec
from msgspec import Meta, Struct

from tradingd.journal.errors import (
    UNREADABLE,
    JournalDamaged,
    JournalError,
    JournalForeign,
    JournalLocked,
    JournalTooNew,
)

FORMAT = 1
ID_LENGTH = 8
LOCK_SIZE = 512
ORPHANS_S_MAX = 2.0
READERS_S_MAX = 60.0
SEGMENT_NAME = re.compile(r"^(?:(\d{6})-)?(\d{6})(?:(?:\.live)?\.duckdb|(\.archived\.json))$")


Id = Annotated[str, Meta(pattern=r"\A[A-Z2-7]{1,16}\Z")]


class Identity(Struct, frozen=True):
    """journal.json. `genesis` is the id that the journal was created with; a copied folder gets a new `id`."""

    format: Annotated[int, Meta(ge=1)]
    id: Id
    genesis: Id
    created_ns: int


class Holder(Struct, frozen=True):
    """The content of LOCK: who holds it, and which journal.json it belongs to (a copy has another one)."""

    pid: int
    inode: int
    ctime_ns: int


class Archived(Struct, frozen=True):
    """<number>.archived.json: the folder that a sealed segment was moved to."""

    folder: str


class Joined(Struct, frozen=True):
    """Of a manifest: the number of the first one, where several segments were joined."""

    first_segment: Annotated[int, Meta(ge=0)] = 0


class Paths:
    """Segments go by their numbers. Those that were joined are one, and go by the number of the last of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.identity = folder / "journal.json"
        self.lock = folder / "LOCK"
        self.head = folder / "HEAD"
        self.segments = folder / "segments"
        self.snapshots = folder / "snapshots"

    def sealed(self, number: int) -> Path:
        """The segment as sealing or joining makes it; it counts once its manifest says so. Raises JournalDamaged."""
        return self.spanning(self.first(number), number)

    def spanning(self, first: int, last: int) -> Path:
        name = f"{last:06d}" if first == last else f"{first:06d}-{last:06d}"
        return self.segments / f"{name}.duckdb"

    def first(self, number: int) -> int:
        """The number of the first one that was joined to it; its own where none was. Raises JournalDamaged."""
        path = self.manifest(number)
        try:
            first = msgspec.json.decode(path.read_bytes(), type=Joined).first_segment or number
        except FileNotFoundError:
            return number
        except UNREADABLE as error:
            if self.spanning(number, number).exists():  # it can be read without
                return number
            raise JournalDamaged(f"{path} can not be read ({error}); restore the file") from error
        if first > number:
            raise JournalDamaged(f"{path} says that segment {number} begins with {first}; restore the file")
        return first

    def live(self, number: int) -> Path:
        """The segment while it is appended to: a schema that is never written again, and beside it the log."""
        return self.segments / f"{number:06d}.live.duckdb"

    def wal(self, number: int) -> Path:
        return self.segments / f"{number:06d}.live.duckdb.wal"

    def segment(self, number: int) -> Path:
        """Where its rows are to be read. Raises JournalDamaged."""
        live = self.live(number)
        if live.exists() and not self.manifest(number).exists():
            return live
        sealed = self.sealed(number)
        return sealed if sealed.exists() else self._archive(number) / sealed.name

    def archived(self, number: int) -> Path:
        return self.segments / f"{number:06d}.archived.json"

    def is_archived(self, number: int) -> bool:
        return self.archived(number).exists() and not self.sealed(number).exists()

    def _archive(self, number: int) -> Path:
        """The folder that a segment was moved to; the journal's own where it was not."""
        path = self.archived(number)
        try:
            return Path(msgspec.json.decode(path.read_bytes(), type=Archived).folder)
        except FileNotFoundError:
            return self.segments
        except UNREADABLE as error:
            raise JournalDamaged(f"{path} can not be read ({error}); restore the file") from error

    def wal_bytes(self, number: int) -> int:
        try:
            return self.wal(number).stat().st_size
        except FileNotFoundError:
            return 0

    def manifest(self, number: int) -> Path:
        return self.segments / f"{number:06d}.manifest.json"

    def segment_numbers(self) -> list[int]:
        """In order. Raises JournalDamaged where one is missing in between."""
        matches = [match for path in self.segments.glob("*") if (match := SEGMENT_NAME.match(path.name))]
        archived = {int(match[2]) for match in matches if match[3]}
        files = {(int(match[1] or match[2]), int(match[2])) for match in matches if not match[3]}
        may_be_joined = archived | {last for first, last in files if first < last}
        numbers: list[int] = []
        number = max((int(match[2]) for match in matches), default=0)
        while number > 0:
            first = self.first(number) if number in may_be_joined else number
            if (first, number) not in files and number not in archived:
                raise JournalDamaged(f"{self.segment(number)} is missing; restore the file")
            numbers.insert(0, number)
            number = first - 1
        return numbers


def new_id() -> str:
    return base64.b32encode(secrets.token_bytes(5)).decode()


def fsync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """With its parents, each name durable in the folder above it."""
    if not folder.is_dir():
        if not folder.parent.exists():
            make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        fsync_folder(folder.parent)


def write_durably(path: Path, content: bytes) -> None:
    """All or nothing: a temporary file, fsync, rename, fsync of the folder."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    fsync_folder(path.parent)


def remove_unfinished(folder: Path) -> None:
    """What a crash left of files that were being made."""
    for path in folder.glob("*.new*"):
        path.unlink()


# --- identity ---------------------------------------------------------------------------------------------------------


def read_identity(paths: Paths) -> Identity:
    """Raises JournalForeign, JournalTooNew or JournalDamaged."""
    if not paths.folder.is_dir():
        raise JournalForeign(f"{paths.folder} is not a journal: there is no such folder")
    if not paths.identity.exists():
        raise JournalForeign(f"{paths.folder} is not a journal: it has no journal.json; name another folder")
    try:
        found = msgspec.json.decode(paths.identity.read_bytes(), type=dict[str, object])
        number = found.get("format")
        if isinstance(number, int) and number > FORMAT:
            raise JournalTooNew(
                f"{paths.folder} has journal format {number}, this version reads up to {FORMAT}; upgrade tradingd"
            )
        return msgspec.convert(found, Identity)
    except UNREADABLE as error:
        raise JournalDamaged(f"{paths.identity} can not be read ({error}); restore the file") from error


def is_blank(folder: Path) -> bool:
    """Nothing there, or nothing but what a creation that was cut short leaves before journal.json."""
    return not folder.exists() or all(path.name in ("LOCK", "journal.json.new") for path in folder.iterdir())


def create_identity(paths: Paths) -> Identity:
    journal_id = new_id()
    identity = Identity(FORMAT, journal_id, journal_id, time.time_ns())
    _write_identity(paths, identity)
    return identity


def renamed(paths: Paths, identity: Identity) -> Identity:
    """The same journal under a new id, so that a copy and its original never make the same ClOrdID."""
    fresh = msgspec.structs.replace(identity, id=new_id())
    _write_identity(paths, fresh)
    return fresh


def _write_identity(paths: Paths, identity: Identity) -> None:
    write_durably(paths.identity, msgspec.json.format(msgspec.json.encode(identity), indent=2) + b"\n")


# --- lock -------------------------------------------------------------------------------------------------------------


class Lock:
    """flock on LOCK: exclusive for the writer, shared for readers of a closed journal.

    Two more keep segments where readers expect them: on the folder, shared by all who read, and on `segments`, of the
    one who joins or moves what is sealed.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @classmethod
    def exclusive(cls, paths: Paths) -> Self:
        """Raises JournalLocked, naming the holder; OSError where the folder can not be written."""
        fd = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _lock_after_orphans(fd):
            message = _locked_by(paths, fd)
            os.close(fd)
            raise JournalLocked(message)
        return cls(fd)

    @property
    def fd(self) -> int:
        """For processes that belong to the holder; the lock is held until the last of them has ended."""
        return self._fd

    @classmethod
    def shared(cls, paths: Paths) -> Self | None:
        """None where a writer holds the journal."""
        try:
            fd = os.open(paths.lock, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # a copy without it; no writer can be there
            fd = os.open(paths.folder, os.O_RDONLY | os.O_CLOEXEC)
        if _try_lock(fd, fcntl.LOCK_SH):
            return cls(fd)
        os.close(fd)
        return None

    @classmethod
    def has_writer(cls, paths: Paths) -> bool:
        lock = cls.shared(paths)
        if lock is not None:
            lock.release()
        return lock is None

    @classmethod
    def reading(cls, paths: Paths) -> Self:
        """While it is held no segments are joined; it waits for the moment in which they are."""
        fd = os.open(paths.folder, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_SH)
        return cls(fd)

    @classmethod
    def unread(cls, paths: Paths) -> Self:
        """While it is held nobody reads; it waits for those who do. Raises JournalLocked after READERS_S_MAX."""
        fd = os.open(paths.folder, os.O_RDONLY | os.O_CLOEXEC)
        until_s = time.monotonic() + READERS_S_MAX
        while not _try_lock(fd, fcntl.LOCK_EX):
            if time.monotonic() > until_s:
                os.close(fd)
                raise JournalLocked(f"{paths.folder} is being read by another process; run it again when that is done")
            time.sleep(0.01)
        return cls(fd)

    @classmethod
    def upkeep(cls, paths: Paths) -> Self:
        """Of one process that joins or moves sealed segments, beside a writer. Raises JournalLocked."""
        fd = os.open(paths.segments, os.O_RDONLY | os.O_CLOEXEC)
        if not _try_lock(fd, fcntl.LOCK_EX):
            os.close(fd)
            raise JournalLocked(f"another process compacts or archives {paths.folder}; wait until it is done")
        return cls(fd)

    def is_home(self, paths: Paths) -> bool:
        """Whether journal.json is the file that this LOCK was last held for, and no copy of it."""
        holder = _holder(self._fd)
        return holder is not None and (holder.inode, holder.ctime_ns) == _fingerprint(paths)

    def sign(self, paths: Paths) -> None:
        """Puts our process id and the fingerprint of journal.json into LOCK."""
        inode, ctime_ns = _fingerprint(paths)
        content = msgspec.json.encode(Holder(os.getpid(), inode, ctime_ns)).ljust(LOCK_SIZE)
        os.pwrite(self._fd, content, 0)
        os.fsync(self._fd)

    def release(self) -> None:
        os.close(self._fd)


def _lock_after_orphans(fd: int) -> bool:
    """A killed writer's sealer ends a moment after it."""
    until_s = time.monotonic() + ORPHANS_S_MAX
    while not _try_lock(fd, fcntl.LOCK_EX):
        if _holder_lives(fd) or time.monotonic() > until_s:
            return False
        time.sleep(0.01)
    return True


def _holder_lives(fd: int) -> bool:
    """True also where it can not be told."""
    holder = _holder(fd)
    try:
        if holder is not None:
            os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def _try_lock(fd: int, operation: int) -> bool:
    try:
        fcntl.flock(fd, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _locked_by(paths: Paths, fd: int) -> str:
    if _try_lock(fd, fcntl.LOCK_SH):
        return f"{paths.folder} is being read by another process; wait until it is done"
    holder = _holder(fd)
    who = f"process {holder.pid}" if holder else "another process"
    return f"{paths.folder} is in use by {who}; stop it first (`tradingd stop`)"


def _holder(fd: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(fd, LOCK_SIZE, 0).rstrip(), type=Holder)
    except UNREADABLE:
        return None


def _fingerprint(paths: Paths) -> tuple[int, int]:
    """A copy of a file differs in one of them: no tool can set the change time."""
    status = paths.identity.stat()
    return status.st_ino, status.st_ctime_ns


def explain(error: OSError, paths: Paths) -> JournalError:
    return JournalError(f"{paths.folder} can not be opened for writing ({error.strerror}); check owner and free space")
