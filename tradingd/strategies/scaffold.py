"""`trade strategy new NAME`: a compiled strategy with comments, and its test, as files to start from."""

import keyword
from importlib.resources import files
from pathlib import Path

from tradingd.strategies.contract import StrategyError
from tradingd.strategies.loader import BUILT_IN

TEMPLATES = {"{name}.py": "strategy.txt", "test_{name}.py": "test.txt"}


def new_strategy(name: str, folder: Path) -> list[Path]:
    """Writes NAME.py and test_NAME.py into `folder`, never over a file that exists. Raises StrategyError."""
    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii() or name != name.lower():
        raise StrategyError(
            f"{name!r} is no name for a strategy; use lower-case letters, digits and _, as in my_strategy"
        )
    if name in BUILT_IN:
        raise StrategyError(f"{name} is a built-in strategy; choose another name")
    targets = {folder / target.format(name=name): template for target, template in TEMPLATES.items()}
    for target in targets:
        if target.exists():
            raise StrategyError(f"{target} exists already; choose another name, or another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for target, template in targets.items():
        target.write_text(_text(template).replace("NAME", name), encoding="utf-8")
    return list(targets)


def _text(template: str) -> str:
    return (files("tradingd.strategies") / template).read_text(encoding="utf-8")
