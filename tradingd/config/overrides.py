"""`--set a.b.c=value`: one value of a config changed from the command line, before anything is checked.

A path is keys between dots. An item of a list is addressed by its name or id (`strategies.fast_cross.params.fast`) or
by its index (`strategies.0.params.fast`, `strategies[0].params.fast`). A key that holds a dot stands in double quotes.
The value is written as in TOML.
"""

import re
import tomllib
from collections.abc import Iterable
from typing import Any

from tradingd.config.problems import ConfigError, Problem, suggestion

_STEP = re.compile(r'"(?P<quoted>[^"]+)"|\[(?P<index>\d+)\]|(?P<bare>[^."\[\]]+)')
LABELS = ("name", "id", "currency")  # by which the items of a list are known

Container = dict[str, Any] | list[Any]


def apply_overrides(raw: dict[str, Any], overrides: Iterable[str]) -> None:
    """Changes `raw` in place. Raises ConfigError with a line for each override that can not be applied."""
    problems = []
    for text in overrides:
        try:
            _apply(raw, text)
        except ValueError as error:
            problems.append(Problem(f"--set {' '.join(text.split())}", str(error)))
    if problems:
        raise ConfigError(problems)


def _apply(raw: dict[str, Any], text: str) -> None:
    path, equals, value = text.partition("=")
    if not equals:
        raise ValueError("expected path=value")
    steps = split_path(path.strip())
    place: Any = raw
    for step in steps[:-1]:
        place = _enter(place, step)
    _assign(place, steps[-1], parse_value(value))


def split_path(path: str) -> list[str]:
    """Raises ValueError for what is no path."""
    steps = []
    at = 0
    while match := _STEP.match(path, at):
        steps.append(next(group for group in match.groups() if group is not None))
        at = match.end()
        if path[at : at + 1] == ".":
            at += 1
        elif path[at : at + 1] != "[":
            break
    if at < len(path) or not steps or path.endswith("."):
        raise ValueError(f'"{path}" is no path; write keys between dots, as in risk.max_notional')
    return steps


def parse_value(text: str) -> Any:
    """A value in TOML syntax. Raises ValueError."""
    try:
        table = tomllib.loads(f"value = {text.strip()}")
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{text!r} is no TOML value; a string needs quotes: '\"...\"'") from error
    if list(table) != ["value"]:
        raise ValueError(f"{text!r} is more than one TOML value")
    return table["value"]


def _enter(place: Any, step: str) -> Container:
    """The table or list at `step`; a table that is not there yet is made."""
    if isinstance(place, list):
        inner = place[_index(place, step)]
    elif isinstance(place, dict):
        inner = place.setdefault(step, {})
    if not isinstance(inner, dict | list):
        raise ValueError(f'"{step}" is a value, not a table')
    return inner


def _assign(place: Container, step: str, value: Any) -> None:
    if isinstance(place, list):
        place[_index(place, step)] = value
    else:
        place[step] = value


def _index(items: list[Any], step: str) -> int:
    """Where the item called `step` is, or the item of that number."""
    labels = [label(item) for item in items]
    if step in labels:
        return labels.index(step)
    if step.isdecimal() and int(step) < len(items):
        return int(step)
    raise ValueError(f'no item "{step}" in a list of {len(items)}{suggestion(step, [x for x in labels if x])}')


def label(item: Any) -> str:
    """The name by which an item of a list is addressed; "" where it has none."""
    return next((str(item[key]) for key in LABELS if key in item), "") if isinstance(item, dict) else ""
