"""What signed heads and digests that were kept elsewhere say of a journal, held against its chain as it is followed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from tradingd.journal.chain import ChainPoint, Fault
from tradingd.journal.database import Connection
from tradingd.journal.digest import CommitRow
from tradingd.journal.errors import JournalArchived, JournalLocked
from tradingd.journal.folder import Identity, Paths
from tradingd.journal.heads import NAME, split_lines
from tradingd.journal.signing import SignedHead, decode_line, is_hex32, signature_fits

TORN = "ends in half a line, as a crash leaves it"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an auditor brings along: files of signed heads, digests, and the only keys that count (any, if none)."""

    files: tuple[Path, ...] = ()
    digests: frozenset[bytes] = frozenset()
    public_keys: frozenset[str] = frozenset()


def evidence_of(anchors: Iterable[str], public_keys: Iterable[str]) -> Evidence:
    """An anchor is a digest in hex, or the name of a file of signed heads."""
    digests = frozenset(bytes.fromhex(anchor) for anchor in anchors if is_hex32(anchor))
    files = tuple(Path(anchor) for anchor in anchors if not is_hex32(anchor))
    return Evidence(files, digests, frozenset(public_keys))


class Claim(NamedTuple):
    """A signed head, and where it stands."""

    source: str
    head: SignedHead


class Run(Struct, frozen=True):
    """Who wrote commits: of RunStarted, what also stands in signed heads."""

    journal_id: str
    epoch: int

    def __str__(self) -> str:
        return f"run {self.epoch} of journal {self.journal_id}"


class Witness:
    """Asked in this order: `faults_of_lines`; for each segment `watched` and `faults_up_to`; `faults_at_the_end`."""

    def __init__(self, paths: Paths, identity: Identity, evidence: Evidence, notes: list[str]) -> None:
        self._path = paths.folder / NAME
        self._identity = identity
        self._evidence = evidence
        self._notes = notes
        self._fitting: set[SignedHead] = set()
        self._claims: list[Claim] = []  # by commit, once all lines are read
        self._checked = 0  # of the claims
        self._is_partial = False  # archived segments were not read
        self._unread = 0  # claims about them
        self._agreed = ChainPoint(0, 0, b"")  # newest commit that a claim agrees with
        self._points: dict[int, ChainPoint | None] = {}  # of the commits that claims are about
        self._met: set[bytes] = set()
        self._runs: list[tuple[int, Run]] = []  # by first seq
        self.own: list[Claim] = []
        self.anchored: list[Claim] = []

    @property
    def public_keys(self) -> list[str]:
        return sorted({head.public_key for head in self._fitting})

    # --- lines --------------------------------------------------------------------------------------------------------

    def faults_of_lines(self) -> Iterator[Fault]:
        """Reads heads.jsonl and the anchors; every signature is looked at. Raises OSError for an anchor."""
        anchors = [(file, file.read_bytes()) for file in self._evidence.files]  # first: a daemon may go on meanwhile
        yield from self._own_lines()
        for file, content in anchors:
            yield from self._anchored_lines(file, content)
        self._claims = sorted([*self.own, *self.anchored], key=lambda claim: claim.head.commit_no)
        self._points = dict.fromkeys(claim.head.commit_no for claim in self._claims)
        if self._fitting and not self._evidence.public_keys:
            keys = ", ".join(self.public_keys)
            self._notes.append(f"no --public-key was given: that these signatures fit says only who signed: {keys}")

    def _own_lines(self) -> Iterator[Fault]:
        lines, rest = split_lines(self._path.read_bytes()) if self._path.exists() else ([], b"")
        if rest:
            self._notes.append(f"{NAME} {TORN}; the next start that signs heals it")
        for number, line in enumerate(lines, 1):
            head = _decoded(line)
            if isinstance(head, str):
                yield Fault(NAME, None, f"line {number}", "signed head", "a line as it was signed", head)
                return
            if head.genesis != self._identity.genesis:
                genesis = self._identity.genesis
                yield Fault(NAME, head.commit_no, f"line {number}", "genesis", genesis, head.genesis)
            yield from self._signature_faults(NAME, number, head)
            self.own.append(Claim(f"{NAME} line {number}", head))
        if self._evidence.public_keys and not lines:
            yield Fault(NAME, None, "", "signed heads", "some by the key that was given", "none")

    def _anchored_lines(self, file: Path, content: bytes) -> Iterator[Fault]:
        lines, rest = split_lines(content)
        heads = [(number, _decoded(line)) for number, line in enumerate(lines, 1)]
        strange = sum(isinstance(head, str) for _, head in heads)
        if rest:
            self._notes.append(f"{file} {TORN}")
        if strange:
            self._notes.append(f"{file}: {strange} lines are no signed heads and were passed over")
        known = [(number, head) for number, head in heads if isinstance(head, SignedHead)]
        ours = [(number, head) for number, head in known if head.genesis == self._identity.genesis]
        if not ours:
            others = ", ".join(sorted({head.genesis for _, head in known})) or "none"
            yield Fault(str(file), None, "", "signed heads of the genesis", self._identity.genesis, others)
        for number, head in ours:
            yield from self._signature_faults(str(file), number, head)
            self.anchored.append(Claim(f"{file} line {number}", head))

    def _signature_faults(self, where: str, number: int, head: SignedHead) -> Iterator[Fault]:
        if head in self._fitting:
            return
        keys = self._evidence.public_keys
        if keys and head.public_key not in keys:
            expected = " or ".join(sorted(keys))
            yield Fault(where, head.commit_no, f"line {number}", "public key", expected, head.public_key)
        if not signature_fits(head):
            expected = f"one by {head.public_key}"
            yield Fault(where, head.commit_no, f"line {number}", "signature", expected, "one that does not fit")
        self._fitting.add(head)

    # --- chain --------------------------------------------------------------------------------------------------------

    def watched(self, rows: Iterable[CommitRow]) -> Iterable[CommitRow]:
        """The same rows, those remembered that will be asked about."""
        if not self._points and not self._evidence.digests:
            return rows
        return self._remembered(rows)

    def _remembered(self, rows: Iterable[CommitRow]) -> Iterator[CommitRow]:
        points, digests = self._points, self._evidence.digests
        for row in rows:
            if row.commit_no in points:
                points[row.commit_no] = ChainPoint(row.commit_no, row.last_seq, row.digest)
            if row.digest in digests:
                self._met.add(row.digest)
            yield row

    def faults_up_to(self, end: ChainPoint, connection: Connection, where: str) -> Iterator[Fault]:
        """Claims about the commits that a segment holds, up to the last one whose digest is right."""
        if not self._claims:
            return
        self._runs += _runs_in(connection)
        for claim in self._claims[self._checked :]:
            point = self._points[claim.head.commit_no]
            if claim.head.commit_no > end.commit_no or point is None:
                return
            if (claim.head.last_seq, claim.head.digest) != (point.last_seq, point.digest.hex()):
                yield self._contradiction(claim, point, where)
            self._agreed = point
            self._checked += 1

    def faults_at(self, end: ChainPoint, where: str) -> Iterator[Fault]:
        """Claims about an archived segment that is not read: of its commits only the last one is known."""
        self._is_partial = True
        if end.digest in self._evidence.digests:
            self._met.add(end.digest)
        for claim in self._claims[self._checked :]:
            if claim.head.commit_no > end.commit_no:
                return
            self._unread += claim.head.commit_no < end.commit_no
            if claim.head.commit_no == end.commit_no:
                if (claim.head.last_seq, claim.head.digest) != (end.last_seq, end.digest.hex()):
                    yield self._contradiction(claim, end, where)
                self._agreed = end
            self._checked += 1

    def _contradiction(self, claim: Claim, point: ChainPoint, where: str) -> Fault:
        head = claim.head
        signed, found = Run(head.journal, head.epoch), self._run_at(point.last_seq)
        what = "history was rewritten" if found in (None, signed) else "a fork: another run went on from an older state"
        return Fault(
            where,
            head.commit_no,
            f"seq {self._agreed.last_seq + 1} to {head.last_seq}",
            f"{what}, by {claim.source}",
            f"seq {head.last_seq} with digest {head.digest} in {signed}",
            f"seq {point.last_seq} with digest {point.digest.hex()}" + ("" if found is None else f" in {found}"),
        )

    def _run_at(self, seq: int) -> Run | None:
        return next((run for first, run in reversed(self._runs) if first <= seq), None)

    # --- end ----------------------------------------------------------------------------------------------------------

    def faults_at_the_end(self, end: ChainPoint, genesis: bytes, where: str, *, live: bool) -> Iterator[Fault]:
        """Claims about what is not there. Raises JournalLocked where only a closed journal can tell."""
        later = self._claims[self._checked :]
        if self._unread:
            self._notes.append(f"{self._unread} signed heads are about archived commits, which were not read")
        missing = sorted(self._evidence.digests - self._met - {genesis})
        if live and missing:
            raise JournalLocked(
                f"the journal is in use, and the digest {missing[0].hex()} is not in its sealed segments; "
                "stop the daemon, or verify a copy"
            )
        if missing and self._is_partial:
            raise JournalArchived(
                f"the digest {missing[0].hex()} is not after the archived segments; give --archive DIR to read them too"
            )
        if live and later:
            self._notes.append(f"{len(later)} signed heads are about commits after the sealed segments")
        elif later:
            yield self._absence(later[0], end, where)
        for digest in missing:
            yield Fault(
                where,
                None,
                f"seq 1 to {end.last_seq}",
                "the digest that was kept elsewhere: the journal was cut off or rewritten, or is another one",
                digest.hex(),
                f"it nowhere up to commit {end.commit_no}",
            )
        yield from self._not_kept()

    def _absence(self, claim: Claim, end: ChainPoint, where: str) -> Fault:
        head = claim.head
        signed, newest = Run(head.journal, head.epoch), self._run_at(end.last_seq)
        forked = newest is not None and (newest.epoch, newest.journal_id) != (head.epoch, head.journal)
        forked = forked and newest is not None and newest.epoch >= head.epoch
        what = "a fork: another run went on from an older state" if forked else "the journal was cut off"
        return Fault(
            where,
            head.commit_no,
            f"seq {end.last_seq + 1} to {head.last_seq}",
            f"{what}, by {claim.source}",
            f"commit {head.commit_no} with digest {head.digest} in {signed}",
            f"the last is commit {end.commit_no}" + ("" if newest is None else f" in {newest}"),
        )

    def _not_kept(self) -> Iterator[Fault]:
        """Whatever was anchored had been written to heads.jsonl before."""
        kept = {claim.head for claim in self.own}
        for claim in self.anchored:
            if claim.head not in kept:
                yield Fault(NAME, claim.head.commit_no, "", "signed head", f"the one of {claim.source}", "none")


def _decoded(line: bytes) -> SignedHead | str:
    """Or why it is none."""
    try:
        return decode_line(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return str(error)


def _runs_in(connection: Connection) -> Iterator[tuple[int, Run]]:
    query = "SELECT seq, payload FROM facts WHERE type = 'RunStarted' ORDER BY seq"
    for seq, payload in connection.execute(query).fetchall():
        yield seq, msgspec.json.decode(payload, type=Run)
