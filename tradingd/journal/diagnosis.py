"""What can be told of a journal that may be damaged."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from tradingd.journal.chain import ChainPoint, Fault
from tradingd.journal.folder import Identity
from tradingd.journal.head import Head
from tradingd.journal.schema import ROW_TABLES


class Kind(StrEnum):
    """What may be wrong, in the words that programs see."""

    IDENTITY = "identity"
    HEAD_MISSING = "head_missing"
    HEAD_SLOT = "head_slot"
    HEAD_UNREADABLE = "head_unreadable"
    CUT_OFF = "cut_off"
    SIGNED_HEAD = "signed_head"
    SIGNED_HEADS_TORN = "signed_heads_torn"
    CONTRADICTION = "contradiction"
    SEGMENT_MISSING = "segment_missing"
    SEGMENT_START = "segment_start"
    UNREADABLE = "unreadable"
    COMMIT = "commit"
    ROWS = "rows"
    DIGEST = "digest"
    SURPLUS = "surplus"
    ABSENT_VALUE = "absent_value"
    LIVE_FILE = "live_file"
    LOG_TORN = "log_torn"
    LOG_UNREADABLE = "log_unreadable"
    MANIFEST_MISSING = "manifest_missing"
    MANIFEST_UNREADABLE = "manifest_unreadable"
    MANIFEST_DIFFERS = "manifest_differs"
    SNAPSHOT = "snapshot"


class Finding(NamedTuple):
    """`heals`: the next start of the daemon does it, and nothing that was acknowledged is lost by it."""

    kind: Kind
    fault: Fault
    heals: bool = False


class Reach(NamedTuple):
    """How far a chain holds. `points` begins with its start; what is between two of them could be read at once."""

    points: tuple[ChainPoint, ...]
    fault: Fault | None

    @property
    def end(self) -> ChainPoint:
        return self.points[-1]


class Tally(NamedTuple):
    """Commits that do not follow from what holds, as their own rows in `commits` tell; times in ns since 1970."""

    commits: int = 0
    rows: tuple[int, ...] = (0,) * len(ROW_TABLES)
    from_ns: int | None = None
    to_ns: int | None = None

    @property
    def by_table(self) -> dict[str, int]:
        return dict(zip(ROW_TABLES, self.rows, strict=True))


class Part(NamedTuple):
    """What holds of a segment. `points` as in `Reach`; `path` may be a copy that goes away with the examination.

    `is_whole`: sealed and as its manifest says. `is_away`: archived, known by its manifest alone, without a path.
    """

    number: int
    first: int  # of those that were joined to it; its own number where none was
    path: Path
    points: tuple[ChainPoint, ...]
    is_whole: bool
    is_away: bool = False


class Claim(NamedTuple):
    """Who says that a commit was acknowledged; `line` where it is a line of heads.jsonl."""

    source: str
    point: ChainPoint
    epoch: int = 0
    line: bytes = b""


class Lost(NamedTuple):
    """Acknowledged commits that do not hold, and what their rows in `commits` tell as far as they can be read."""

    first_commit: int
    last_commit: int
    first_seq: int
    last_seq: int
    acknowledged_by: str
    tally: Tally


class Later(NamedTuple):
    """A segment after the damage. `fault` is None where it is whole in itself."""

    number: int
    name: str
    first_commit: int
    last_commit: int
    first_seq: int
    last_seq: int
    fault: Fault | None


@dataclass(slots=True)
class Diagnosis:
    """`end` is the last commit that holds; of `lost`, where HEAD can not be read, more may be missing."""

    identity: Identity
    end: ChainPoint
    head: Head | None = None
    parts: list[Part] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    lost: Lost | None = None
    later: list[Later] = field(default_factory=list)
    signed: list[Claim] = field(default_factory=list)  # heads up to `end`
    snapshots: list[Path] = field(default_factory=list)  # of states up to `end`, as they were written
    epoch: int = 0  # the newest that is known
    notes: list[str] = field(default_factory=list)

    @property
    def damage(self) -> list[Finding]:
        """What the next start does not heal."""
        return [finding for finding in self.findings if not finding.heals]

    @property
    def ok(self) -> bool:
        return not self.damage and self.lost is None
