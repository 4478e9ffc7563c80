"""What is wrong with a config: every problem at once, one line each, with its path in the file."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NamedTuple


class Problem(NamedTuple):
    path: str  # as in the file: strategies[1].params.fast
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class ConfigError(Exception):
    """A config that can not be used. `problems` are all of them; the message has a line for each."""

    def __init__(self, problems: Sequence[Problem], where: str = "") -> None:
        self.problems = tuple(problems)
        self.where = where
        super().__init__("\n".join(f"{where}: {problem}" if where else str(problem) for problem in problems))


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """The end of a sentence that names what may have been meant, or else all that there is."""
    names = list(known)
    if near := get_close_matches(wrong, names, n=1):
        return f', did you mean "{near[0]}"?'
    return f" (known: {', '.join(names)})" if names else ""


def join(path: str, key: str) -> str:
    """The path of `key` inside the table at `path`; a key that is no bare TOML key is quoted."""
    bare = key if key.replace("_", "").replace("-", "").isalnum() else f'"{key}"'
    return f"{path}.{bare}" if path else bare
