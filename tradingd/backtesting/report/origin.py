"""Where a result came from: its settings, digests and versions, and the command that gives it again."""

import shlex
from typing import TYPE_CHECKING, Any

import msgspec

from tradingd.backtesting.report.markup import Html, table, tag
from tradingd.backtesting.result import Result
from tradingd.backtesting.settings import BacktestSettings
from tradingd.instruments import AccountSettings, AssetClass, Instrument
from tradingd.rerun import versions

if TYPE_CHECKING:
    from tradingd.backtesting.report.told import Told

DATA = "FILE"  # a result knows its bars, not the file that they came from


def origin(told: "Told") -> Html:
    seeds = [str(kind.params["seed"]) for kind in told.kinds if "seed" in kind.params]
    rows = [
        *told.data.items(),
        ("code digest", told.code),
        *((f"digest of {kind}", strategy.digest) for kind, strategy in told.library.items()),
        *versions().items(),
        ("seed", ", ".join(seeds) or "none among the parameters"),
    ]
    return table("Digests and versions", (), rows, "digests")


def settings_text(told: "Told") -> Html:
    text = msgspec.json.format(msgspec.json.encode(told.settings), indent=2).decode()
    return tag("details", tag("summary", "All settings, as JSON"), tag("pre", text, tabindex="0"))


def command(result: Result) -> str:
    """For a shell; FILE is the bars with the data digest above."""
    settings = result.settings
    words = ["trade", "backtest", "--strategy", settings.kind, "--data", DATA, "--balance", settings.account.balance]
    for override in overrides(settings):
        words += ["--set", override]
    return shlex.join(words)


def overrides(settings: BacktestSettings) -> list[str]:
    """What of the settings is not at its default, as --set takes it."""
    given, unsaid = (msgspec.to_builtins(each) for each in (settings, _unsaid(settings.kind)))
    given["account"].pop("balance")
    given.pop("kind")
    return [f"{path}={toml_value(value)}" for path, value in _differing(given, unsaid, "")]


def _unsaid(kind: str) -> BacktestSettings:
    """What a run has where nothing is said. Id and tick size are made of the data, so they are always said."""
    instrument = Instrument(id="", asset_class=AssetClass.EQUITY, tick_size=-1.0, lot_size=1.0, currency="USD")
    return BacktestSettings(kind=kind, instrument=instrument, account=AccountSettings("USD", ""))


def _differing(given: dict[str, Any], default: dict[str, Any], path: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in given.items():
        other = default.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            found += _differing(value, other, f"{path}{name}.")
        elif value != other:
            found.append((f"{path}{name}", value))
    return found


def toml_value(value: Any) -> str:
    """One line of TOML; tables are inline, and what is None in them is left out."""
    if isinstance(value, dict):
        pairs = (f"{name} = {toml_value(each)}" for name, each in value.items() if each is not None)
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(each) for each in value)}]"
    return msgspec.json.encode(value).decode()
