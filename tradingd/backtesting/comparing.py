"""Two results side by side, as `trade backtest --json` printed them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tradingd.backtesting.errors import BacktestError
from tradingd.config.overrides import label

OF_ASSETS = ("closed_trades", "win_rate", "total_return", "fees", "max_drawdown")
Value = str | int | float | bool | None


class Row(Struct):
    """`change` is b - a, where both are numbers."""

    name: str
    a: Value
    b: Value
    change: float | None = None


class Comparison(Struct):
    """`settings` are those that differ; `assets` are figures of each instrument, of results of a config."""

    same_data: bool
    same_code: bool
    settings: list[Row]
    metrics: list[Row]
    assets: list[Row]


def read_result(path: Path) -> dict[str, Any]:
    """Raises BacktestError, OSError."""
    if not path.is_file():
        raise BacktestError(f"{path} is no file; write it with `trade backtest ... --json > {path}`")
    try:
        found = msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BacktestError(f"{path} holds no JSON; write it with `trade backtest ... --json > {path}`") from error
    if not isinstance(found, dict) or not isinstance(found.get("metrics"), dict):
        raise BacktestError(f"{path} is no result; write it with `trade backtest ... --json > {path}`")
    return found


def compare(a: dict[str, Any], b: dict[str, Any]) -> Comparison:
    before, after = dict(_flat(a.get("settings", {}))), dict(_flat(b.get("settings", {})))
    names = dict.fromkeys([*before, *after])
    return Comparison(
        same_data=a.get("data_digest") == b.get("data_digest"),
        same_code=a.get("code_digest") == b.get("code_digest"),
        settings=[_row(name, before, after) for name in names if before.get(name) != after.get(name)],
        metrics=[_row(name, a["metrics"], b["metrics"]) for name in dict.fromkeys([*a["metrics"], *b["metrics"]])],
        assets=list(_assets(a.get("assets", {}), b.get("assets", {}))),
    )


def _assets(a: dict[str, Any], b: dict[str, Any]) -> Iterator[Row]:
    before, after = dict(_flat(a)), dict(_flat(b))
    for asset in dict.fromkeys([*a, *b]):
        yield from (_row(f"{asset}.{figure}", before, after) for figure in OF_ASSETS)


def _row(name: str, a: dict[str, Any], b: dict[str, Any]) -> Row:
    before, after = a.get(name), b.get(name)
    is_switch = isinstance(before, bool) or isinstance(after, bool)
    if not is_switch and isinstance(before, int | float) and isinstance(after, int | float):
        return Row(name, before, after, after - before)
    return Row(name, before, after)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Value]]:
    """(path, value) of everything that is no table and no list; a path is one that --set takes."""
    inner = value.items() if isinstance(value, dict) else _labelled(value) if isinstance(value, list) else None
    if inner is None:
        yield path, value
        return
    for key, each in inner:
        yield from _flat(each, f"{path}.{key}" if path else str(key))


def _labelled(items: list[Any]) -> list[tuple[str, Any]]:
    """By the names that --set takes, so that the order of a list is no difference."""
    return [(label(item) or str(index), item) for index, item in enumerate(items)]
