"""From the `kind` in settings to a market maker: a built-in name, or "path/to/file.py:name"."""

import importlib
from pathlib import Path

from tradingd.strategies.contract import StrategyError
from tradingd.strategies.loader import executed
from tradingd.strategies.makers.contract import CompiledMaker
from tradingd.strategies.sources import check_source

MAKERS = {name: f"tradingd.strategies.makers.{name}" for name in ("touch",)}


def load_maker(kind: str, base: Path) -> CompiledMaker:
    """Paths are relative to `base`. Raises StrategyError."""
    if ":" in kind:
        path, _, name = kind.rpartition(":")
        return _from_file(base / path, name)
    if kind not in MAKERS:
        names = ", ".join(MAKERS)
        raise StrategyError(f'no market maker {kind!r}; there is {names}, and your own as "path/to/file.py:name"')
    return _named(vars(importlib.import_module(MAKERS[kind])), kind, kind)


def _from_file(file: Path, name: str) -> CompiledMaker:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise StrategyError(f"can not read strategy file {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StrategyError(f"strategy file {file} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    check_source(text, str(file))
    return _named(vars(executed(text, file)), name, str(file))


def _named(names: dict[str, object], name: str, where: str) -> CompiledMaker:
    found = names.get(name)
    if isinstance(found, CompiledMaker):
        return found
    known = ", ".join(key for key, value in names.items() if isinstance(value, CompiledMaker)) or "none"
    raise StrategyError(f"{where} has no market maker {name!r}; it has: {known}")
