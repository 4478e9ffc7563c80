"""A config as one line per value, each as `--set` takes it."""

import json
from collections.abc import Iterator
from typing import Any

from tradingd.config.overrides import label
from tradingd.config.problems import join

BAKED = "utc_offsets"  # long, and worked out from the time zone


def flat_lines(value: object, path: str = "") -> Iterator[str]:
    """`path = value` for each value of plain tables and lists; what is absent is left out."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            if key != BAKED:
                yield from flat_lines(inner, join(path, key))
    elif isinstance(value, list | tuple) and value and all(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from flat_lines(item, join(path, label(item) or str(index)))
    elif value is not None:
        yield f"{path} = {toml_value(value)}"


def toml_value(value: Any) -> str:
    """JSON's numbers, strings, booleans and lists of them are TOML's too."""
    return json.dumps(value, ensure_ascii=False)
