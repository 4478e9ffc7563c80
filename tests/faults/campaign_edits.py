"""Whoever may write every file of a journal rewrites it, with all digests recomputed: a head kept elsewhere tells."""

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from damage.made import COMMITS, commit_made, make
from isolated import isolated
from journal_child import SETTINGS
from msgspec import structs

from tradingd.commit import Commit
from tradingd.journal.heads import NAME
from tradingd.journal.verify import verify
from tradingd.journal.witness import evidence_of
from tradingd.journal.writer import Journal

SEEDS = 300

Edit = Callable[[list[Commit], int], list[Commit]]


def edited(commits: list[Commit], at: int) -> list[Commit]:
    """One price is another."""
    (first, batch), *rest = commits[at].ticks
    price = batch.price.copy()
    price[0] += 0.01
    return [
        *commits[:at],
        replace(commits[at], ticks=((first, replace(batch, price=price)), *rest)),
        *commits[at + 1 :],
    ]


def deleted(commits: list[Commit], at: int) -> list[Commit]:
    """One fact never was."""
    return [*commits[:at], replace(commits[at], events=commits[at].events[:-1]), *commits[at + 1 :]]


def reordered(commits: list[Commit], at: int) -> list[Commit]:
    """Two events have changed places."""
    *events, before_last, last = commits[at].events
    swapped = (structs.replace(last, n=before_last.n), structs.replace(before_last, n=last.n))
    return [*commits[:at], replace(commits[at], events=(*events, *swapped)), *commits[at + 1 :]]


def cut(commits: list[Commit], at: int) -> list[Commit]:
    """The end never was."""
    return commits[:at]


def forked(commits: list[Commit], at: int) -> list[Commit]:
    """An old copy went on with something else, and for longer."""
    others = [edited([commit_made(number)], 0)[0] for number in range(at + 1, COMMITS + 3)]
    return [*commits[:at], *others]


EDITS: tuple[Edit, ...] = (edited, deleted, reordered, cut, forked)
REPLACED = "a segment replaced"


class Campaign:
    def __init__(self, folder: Path) -> None:
        self._made, self._anchor = folder / "made", folder / "anchor.jsonl"
        self._key = isolated(partial(make, self._made))
        shutil.copy2(self._made / NAME, self._anchor)

    def close(self) -> None:
        pass

    def run(self, seed: int, folder: Path) -> str:
        return isolated(partial(self._run, random.Random(seed), seed % (len(EDITS) + 1), folder))

    def _run(self, rng: random.Random, kind: int, folder: Path) -> str:
        edit = EDITS[kind % len(EDITS)]
        commits = [commit_made(number) for number in range(1, COMMITS + 1)]
        at = rng.randrange(COMMITS if kind < len(EDITS) else SETTINGS.roll_rows // 20)
        self._forge(folder, edit(commits, at))
        if kind == len(EDITS):
            return f"{REPLACED}: {self._replaced(folder)}"
        assert verify(folder, SETTINGS).ok, "the forger has made a mistake"
        assert self._is_told(folder)
        shutil.rmtree(folder)
        return f"{edit.__name__}: told by the head that was kept elsewhere, and by nothing else"

    def _forge(self, folder: Path, commits: list[Commit]) -> None:
        """The same genesis, other commits, everything else as it has to be; no signed heads."""
        folder.mkdir()
        shutil.copy2(self._made / "journal.json", folder)
        journal = Journal.open(folder, SETTINGS)
        for commit in commits:
            journal.append(commit)
            if journal.should_roll():
                journal.roll()
                journal.seal()
        journal.close()

    def _replaced(self, forged: Path) -> str:
        """The first segment with its manifest, put into the rest of what was made."""
        for name in ("000001.duckdb", "000001.manifest.json"):
            shutil.move(forged / "segments" / name, forged / name)
        shutil.rmtree(forged / "segments")
        shutil.copytree(self._made / "segments", forged / "segments")
        for name in ("000001.duckdb", "000001.manifest.json"):
            (forged / "segments" / name).unlink()
            shutil.move(forged / name, forged / "segments" / name)
        shutil.copy2(self._made / "HEAD", forged)
        assert not verify(forged, SETTINGS).ok
        assert self._is_told(forged)
        shutil.rmtree(forged)
        return "told by verify alone"

    def _is_told(self, folder: Path) -> bool:
        return not verify(folder, SETTINGS, evidence=evidence_of([str(self._anchor)], [self._key])).ok
