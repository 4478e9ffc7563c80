"""The pages that users read: which commands they show, and whether what they show is what is printed today."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from built_wheel import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("trade", "tradingd")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:trade|tradingd) [^`]+)`")
ELSEWHERE = (">", "|", "&&", "...")  # what comes after these is the shell's

# What is not the same twice: identities and digests, how long something took, where commits were cut.
VOLATILE = [
    (re.compile(r"\b[0-9a-f]{8,}\b(\.\.\.)?"), "DIGEST"),
    (re.compile(r"\b[A-Z2-7]{8}\b(?=-\d|, created)"), "JOURNAL"),
    (re.compile(r"created \S+"), "created TIME"),
    (re.compile(r"in \d+\.\d s\b( \([\d,]+/s\))?"), "in SECONDS"),
    (re.compile(r"\d+\.\d MB"), "MEGABYTES"),
    (re.compile(r"\b(commit \d+|\d+ commits)\b(, seq \d+ to \d+(?=:))?"), "COMMITS"),
]


class Block(NamedTuple):
    """A fenced block: what a shell is given, and in a `console` block what it then prints."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def commands(self) -> list[list[str]]:
        lines = (line.removeprefix("$ ") for line in self.text.splitlines() if self._is_typed(line))
        return [words for words in map(command_of, lines) if words]

    @property
    def shown(self) -> list[str]:
        return [] if self.language == "sh" else [line for line in self.text.splitlines() if not self._is_typed(line)]

    def _is_typed(self, line: str) -> bool:
        return self.language == "sh" or line.startswith("$ ")


def blocks(page: Path, languages: Sequence[str] = ("sh", "console")) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in FENCED.finditer(text):
        if found[1] in languages:
            yield Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])


def mentioned(page: Path) -> Iterator[str]:
    """Every line that is shown or mentioned as one for a shell."""
    for block in blocks(page):
        yield from block.text.splitlines()
    yield from INLINE.findall(FENCED.sub("", page.read_text(encoding="utf-8")))


def command_of(line: str) -> list[str]:
    """The words of a line that starts one of the programs, wherever it is installed; none for other lines."""
    words = shlex.split(line, comments=True) if not line.startswith(" ") else []
    start = next((n for n, word in enumerate(words) if Path(word).name in PROGRAMS), None)
    if start is None or any("=" not in word and word not in ("sudo", "$") for word in words[:start]):
        return []
    words = words[start:]
    end = next((n for n, word in enumerate(words) if word in ELSEWHERE), len(words))
    return [Path(words[0]).name, *words[1:end]]


def difference(shown: Sequence[str], printed: Sequence[str]) -> str:
    """The first shown line that was not printed; empty where all were, in order and with nothing between.

    The line `...` stands for any lines, and one that ends in ` ...` for any that begins so.
    """
    rest, may_skip = list(printed), False
    for line in shown:
        if line.strip() == "...":
            may_skip = True
            continue
        at = next((n for n, real in enumerate(rest) if says(line, real)), None)
        if at is None or (at and not may_skip):
            return f"shown: {line!r}\nprinted: {rest[0] if rest else 'nothing more'!r}"
        rest, may_skip = rest[at + 1 :], False
    return "" if may_skip or not rest else f"printed, and not shown: {rest[0]!r}"


def says(shown: str, printed: str) -> bool:
    if shown.endswith(" ..."):
        return lasting(printed).startswith(lasting(shown.removesuffix("...").rstrip()))
    return lasting(shown) == lasting(printed)


def lasting(line: str) -> str:
    for volatile, name in VOLATILE:
        line = volatile.sub(name, line)
    return re.sub(r" {2,}", "  ", line).rstrip()
