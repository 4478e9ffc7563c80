"""Re-execution of a whole journal, and the proof that it gives what was recorded."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import dropwhile

from msgspec import Struct

from tradingd.audit.errors import AuditError
from tradingd.audit.lines import event_line, input_line
from tradingd.audit.lookup import Lookup
from tradingd.audit.points import Position
from tradingd.audit.runs import Names, Run, run_at, runs_of, sound
from tradingd.audit.states import from_snapshot
from tradingd.audit.tally import Summary, Tally
from tradingd.audit.words import bar_in_words, in_words
from tradingd.columns import BAR
from tradingd.commit import Commit
from tradingd.compare import Difference, first_difference
from tradingd.config.load import digest_of_text
from tradingd.core.snapshot import state_digest
from tradingd.core.state import State
from tradingd.events import Event
from tradingd.journal.reader import JournalReader
from tradingd.rerun import Rerun, code_digest, recorded_library, versions
from tradingd.strategies.contract import StrategyError

# columns.BAR in the words of the journal's table `bars`
BAR_FIELDS = tuple({"ts_open": "ts_open_ns", "ts_close": "ts_close_ns"}.get(name, name) for name in BAR.names or ())

Say = Callable[[int], None]  # hears how far it is, as a seq


class Found(Struct):
    """The first difference, in words; `cause` is the input and `before` the last fact that was still the same."""

    seq: int
    n: int
    recorded: str
    derived: str
    before: str
    cause: str


class OtherCode(Struct):
    """A run that was written by another version of the code, and which libraries were other ones then."""

    seq: int
    recorded: str
    today: str
    libraries: dict[str, tuple[str, str]]


class Replay(Struct):
    """`identical` is None where nothing was compared. The summary is of what re-execution made, from `from_seq` on."""

    journal_id: str
    from_seq: int
    last_seq: int
    identical: bool | None
    difference: Found | None
    other_code: list[OtherCode]
    live: bool
    seconds: float
    state_digest: str
    summary: Summary


def replay(reader: JournalReader, *, verify: bool, after: int = 0, say: Say = lambda seq: None) -> Replay:
    """Executes every recorded input again; with `verify` stops at the first fact that differs.

    It begins with the first input, or with `after` from the newest snapshot of the state at or before that seq: what
    came before is then believed.

    Raises AuditError where the journal is empty, no snapshot serves, or the inputs can not be executed and nothing is
    compared.
    """
    runs = runs_of(reader)
    if not runs:
        raise AuditError("nothing can be replayed: the journal is empty, or no segment of it is sealed yet")
    start = time.perf_counter()
    state = _snapshot(reader, after) if after else None
    first = state.seq + 1 if state else 1
    work = _Work(Rerun(reader.commits, state), len(runs[-1].names.settings.instruments), verify, say)
    later = dropwhile(lambda commit: commit.last_seq < first, reader.commits(first))
    difference = (_forged_config(runs) if verify else None) or work.run(later)
    if difference is not None and not verify:
        raise AuditError(f"{difference.text}; add --verify to see where it began")
    seconds = time.perf_counter() - start
    return Replay(
        journal_id=reader.id,
        from_seq=first,
        last_seq=reader.last_seq,
        identical=difference is None if verify else None,
        difference=_found(reader, difference) if difference else None,
        other_code=[other for run in runs if (other := _other_code(run)) is not None],
        live=reader.is_live,
        seconds=seconds,
        state_digest=state_digest(work.rerun.state) if work.rerun.state else "",
        summary=work.tally.summary(runs[-1].names, work.rerun.state),
    )


def _snapshot(reader: JournalReader, after: int) -> State:
    state = from_snapshot(reader, after)
    if state is None:
        raise AuditError(
            f"no snapshot at or before seq {after} was taken by today's code (`trade journal ls` lists them); leave "
            "--after out to begin with the first input"
        )
    return state


@dataclass(slots=True)
class _Work:
    rerun: Rerun
    instruments: int
    verify: bool
    say: Say
    tally: Tally = field(default_factory=Tally)

    def run(self, commits: Iterable[Commit]) -> Difference | None:
        return next((found for recorded in commits if (found := self._step(recorded)) is not None), None)

    def _step(self, recorded: Commit) -> Difference | None:
        """That inputs which were taken once are refused now is a difference too."""
        try:
            derived = self.rerun.take(sound(recorded, self.instruments))
        except (ArithmeticError, AssertionError, AuditError, LookupError, TypeError, ValueError) as error:
            return _failure(recorded, error)
        self.tally.add(derived)
        self.say(recorded.last_seq)
        return first_difference(recorded, derived) if self.verify else None


def _failure(recorded: Commit, error: Exception) -> Difference:
    what = f"re-execution fails: {error if isinstance(error, AuditError) else repr(error)}"
    text = f"from seq {recorded.first_seq} to {recorded.last_seq} {what}"
    return Difference(recorded.first_seq, 0, text, "a commit", what)


def _forged_config(runs: list[Run]) -> Difference | None:
    """A recorded config that is not the one of which the digest was recorded."""
    for run in runs:
        said, found = f"a config of digest {run.body.config_digest}", digest_of_text(bytes(run.body.config))
        if found != run.body.config_digest:
            is_now = f"digest {found}"
            return Difference(run.seq, 0, f"at ({run.seq}, 0) the journal has {said}, it has {is_now}", said, is_now)
    return None


def _found(reader: JournalReader, difference: Difference) -> Found:
    lookup, at = Lookup(reader), Position(difference.seq, difference.n)
    names = run_at(reader, at.seq).names
    before = lookup.newest(at, "true")
    return Found(
        seq=at.seq,
        n=at.n,
        recorded=_said(difference.recorded, names),
        derived=_said(difference.derived, names),
        before=event_line(before, names) if before else "nothing",
        cause=input_line(lookup, at.seq, names),
    )


def _said(side: object, names: Names) -> str:
    match side:
        case None:
            return "nothing"
        case Event():
            return f"{type(side.body).__name__}: {in_words(side.body, names)}"
        case tuple():
            return f"Bar: {bar_in_words(dict(zip(BAR_FIELDS, side, strict=True)), names)}"
        case _:
            return str(side)


def _other_code(run: Run) -> OtherCode | None:
    today = _code_today(run)
    if today == run.body.code_digest:
        return None
    now = versions()
    then = {name: (version, now.get(name, "none")) for name, version in run.body.versions.items()}
    libraries = {name: pair for name, pair in then.items() if pair[0] != pair[1]}
    return OtherCode(run.seq, run.body.code_digest, today, libraries)


def _code_today(run: Run) -> str:
    """Digest of today's code with the recorded strategies; "" where they can not be loaded any more."""
    try:
        return code_digest(recorded_library(run.names.settings, run.body.strategies))
    except StrategyError:
        return ""
