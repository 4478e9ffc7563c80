"""From the `kind` in settings to a market maker: a built-in name, or "path/to/file.py:name"."""

import importlib
from pathlib import Path
from types import ModuleType

from tradingd.strategies.contract import StrategyError
from tradingd.strategies.loader import load_file
from tradingd.strategies.makers.contract import CompiledMaker

MAKERS = {name: f"tradingd.strategies.makers.{name}" for name in ("touch",)}


def load_maker(kind: str, base: Path) -> CompiledMaker:
    """Paths are relative to `base`. Raises StrategyError."""
    if ":" in kind:
        path, _, name = kind.rpartition(":")
        file = base / path
        return _named(load_file(file), name, str(file))
    if kind not in MAKERS:
        names = ", ".join(MAKERS)
        raise StrategyError(f'no market maker {kind!r}; there is {names}, and your own as "path/to/file.py:name"')
    return _named(importlib.import_module(MAKERS[kind]), kind, kind)


def _named(module: ModuleType, name: str, where: str) -> CompiledMaker:
    found = getattr(module, name, None)
    if isinstance(found, CompiledMaker):
        return found
    known = ", ".join(key for key, value in vars(module).items() if isinstance(value, CompiledMaker)) or "none"
    raise StrategyError(f"{where} has no market maker {name!r}; it has: {known}")
