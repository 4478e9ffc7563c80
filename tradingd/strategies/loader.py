"""From the `kind` in a config to a strategy or an exit: a built-in name, or "path/to/file.py:name"."""

import hashlib
import importlib
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard

from tradingd.kernels.compile import CACHE_DIR
from tradingd.strategies.contract import CompiledStrategy, PythonStrategy, StrategyError
from tradingd.strategies.sources import check_source

STRATEGIES = {
    name: f"tradingd.strategies.{name}"
    for name in ("coin_flip", "donchian", "mean_reversion", "pair_reversion", "sma_cross")
}
EXITS = {name: f"tradingd.strategies.exits.{name}" for name in ("fixed_ratio", "trailing_atr")}
BUILT_IN = STRATEGIES | EXITS

Strategy = CompiledStrategy | type[PythonStrategy]


class Strategies(dict[str, Strategy]):
    """Loaded ones by kind. Those of files are pickled as their texts: machine code is of one process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return from_texts, (tuple(self), user_texts(self))


def user_texts(library: Mapping[str, Strategy]) -> dict[str, str]:
    """Texts of the strategies that came from files, by kind."""
    return {kind: strategy.text for kind, strategy in library.items() if ":" in kind}


def from_texts(kinds: Iterable[str], texts: Mapping[str, str]) -> Strategies:
    """Strategies and exits again: the built-in ones, and those of `texts` whatever their files say today."""
    with tempfile.TemporaryDirectory(prefix="tradingd-") as folder:
        return Strategies({kind: _from_text(kind, texts, Path(folder)) for kind in kinds})


def _from_text(kind: str, texts: Mapping[str, str], folder: Path) -> Strategy:
    if kind not in texts:
        return load_strategy(kind, folder)
    path, _, name = kind.rpartition(":")
    file = folder / hashlib.blake2b(kind.encode(), digest_size=8).hexdigest() / Path(path).name
    file.parent.mkdir()
    file.write_text(texts[kind], encoding="utf-8")
    return load_strategy(f"{file}:{name}", folder)


def load_strategy(kind: str, base_dir: Path) -> Strategy:
    """A strategy or an exit; paths are relative to `base_dir`. Raises StrategyError."""
    if ":" in kind:
        path, _, name = kind.rpartition(":")
        file = base_dir / path
        return _named(load_file(file), name, str(file))
    if kind not in BUILT_IN:
        raise StrategyError(
            f'no strategy {kind!r}; there are {", ".join(BUILT_IN)}, and your own as "path/to/file.py:name"'
        )
    return _named(importlib.import_module(BUILT_IN[kind]), kind, kind)


def misplaced(kind: str, *, as_exit: bool) -> str | None:
    """What is wrong with a built-in kind at that place, in words."""
    if as_exit and kind in STRATEGIES:
        return f'"{kind}" is a strategy; exits are {", ".join(EXITS)} or your own'
    return f'"{kind}" is an exit; it goes into the exits of a strategy' if kind in EXITS and not as_exit else None


def load_single(kind: str, base_dir: Path) -> Strategy:
    """The same, of one instrument alone, as exits and backtests of one file are. Raises StrategyError."""
    strategy = load_strategy(kind, base_dir)
    if strategy.legs > 1:
        raise StrategyError(
            f"{kind} takes {strategy.legs} instruments at once, and has one here; give a file of each (-d A -d B)"
        )
    return strategy


def load_file(file: Path) -> ModuleType:
    """A file of a user's own. Raises StrategyError where it can not be read, may not run, or fails."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise StrategyError(f"can not read strategy file {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StrategyError(f"strategy file {file} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    check_source(text, str(file))
    return _executed(text, file)


def _executed(text: str, file: Path) -> ModuleType:
    """The file as a module under the name of its content, so that compiled code is found again, and never by old code.

    What runs is the copy beside the compiled code: that of a file that moved, or that a journal recorded, is the same.
    """
    stem = re.sub(r"\W", "_", file.stem)
    module_name = f"tradingd_user_{stem}_{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    copy = CACHE_DIR / f"{module_name}.py"
    if not copy.exists():
        copy.write_text(text, encoding="utf-8")
    module = ModuleType(module_name)
    module.__file__ = str(copy)
    sys.modules[module_name] = module
    try:
        exec(compile(text, str(copy), "exec"), module.__dict__)
    except (ArithmeticError, AttributeError, ImportError, LookupError, NameError, TypeError, ValueError) as error:
        del sys.modules[module_name]
        raise StrategyError(f"strategy file {file} fails when it is loaded: {error}") from error
    return module


def _named(module: ModuleType, name: str, where: str) -> Strategy:
    found = getattr(module, name, None)
    if _is_strategy(found):
        return found
    names = ", ".join(key for key, value in vars(module).items() if _is_strategy(value)) or "none"
    raise StrategyError(f"{where} has no strategy {name!r}; it has: {names}")


def _is_strategy(value: object) -> TypeGuard[Strategy]:
    if isinstance(value, CompiledStrategy):
        return True
    return isinstance(value, type) and issubclass(value, PythonStrategy) and value is not PythonStrategy
