"""What a backtest came to: frames for notebooks, figures, one object for programs."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import msgspec
import numpy as np
import polars as pl

from tradingd.backtesting.engine import Executed
from tradingd.backtesting.metrics import Metrics, metrics_of
from tradingd.backtesting.picture import Picture, figures_table, picture
from tradingd.backtesting.settings import BacktestSettings
from tradingd.feeds.bars.funding import Funding
from tradingd.feeds.bars.table import Bars
from tradingd.grid import grid_of
from tradingd.instruments import AccountSettings, Instrument
from tradingd.kernels.book import OPEN
from tradingd.kernels.trips import STILL_OPEN
from tradingd.reducers.post import FINANCING

if TYPE_CHECKING:
    from tradingd.core.memory import Library

PHASES = ("open", "intrabar")
REASONS = ("decision", "stop_loss", "take_profit", "liquidation", "expiry")


@dataclass(frozen=True, repr=False)
class Traded:
    """What was traded of one instrument."""

    instrument: Instrument
    account: AccountSettings
    bars: Bars
    executed: Executed

    @property
    def initial(self) -> float:
        """What the account began with."""
        return self.executed.balance_units / self.account.units_per_one

    @cached_property
    def equity(self) -> pl.DataFrame:
        """A row per bar, at its close: ts, equity in money, position in units, exposure as a fraction of equity."""
        position = self._quantity(self.executed.lots)
        return pl.DataFrame(
            {
                "ts": pl.Series(self.bars.ts_close_ns).cast(pl.Datetime("ns", "UTC")),
                "equity": self.executed.equity,
                "position": position,
                "exposure": self._exposure(position),
            }
        )

    @cached_property
    def fills(self) -> pl.DataFrame:
        """A row per fill; money in the account's currency. `ts` is the bar's open, or its close within the bar."""
        f, units = self.executed.fills, self.account.units_per_one
        ts = self._ts_ns(f["phase"], f["bar"])
        return pl.DataFrame(
            {
                "ts": pl.Series(ts, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC")),
                "bar": f["bar"],
                "quantity": self._quantity(f["lots"]),
                "price": f["price"],
                "fee": f["fee"] / units,
                "realized": f["realized"] / units,
                "balance": f["balance"] / units,
                "phase": _named(PHASES, f["phase"]),
                "reason": _named(REASONS, f["reason"]),
                "is_limit": f["is_limit"].astype(bool),
            }
        )

    @cached_property
    def trades(self) -> pl.DataFrame:
        """A row per round trip, flat to flat. One that is still open has no end, and the profit of the last mark."""
        t, units = self.executed.trips, self.account.units_per_one
        is_open = t["exit_bar"] == STILL_OPEN
        quantity = self._quantity(t["lots"])
        profit = (t["realized"] - t["fees"]) / units + np.where(is_open, self._open_profit(), 0.0)
        notional = np.abs(t["entry_price"]) * quantity * self.instrument.multiplier
        exits = np.where(is_open, 0, t["exit_bar"])
        entries = t["entry_bar"]
        behind, ahead = _extremes(t)
        frame = pl.DataFrame(
            {
                "side": _named(("short", "flat", "long"), t["side"] + 1),
                "entry_ts_ns": self._ts_ns(t["entry_phase"], entries),
                "entry_price": t["entry_price"],
                "exit_ts_ns": self._ts_ns(t["phase"], exits),
                "exit_price": t["exit_price"],
                "quantity": quantity,
                "profit": profit,
                "fees": t["fees"] / units,
                "return": profit / notional,
                "bars": np.where(is_open, len(self.bars), exits) - entries,
                "mae": behind,
                "mfe": ahead,
                "reason": _named(REASONS, t["reason"]),
            }
        )
        ended = ("exit_ts_ns", "exit_price", "reason")
        return frame.with_columns(pl.when(pl.Series(~is_open)).then(pl.col(name)).alias(name) for name in ended)

    @cached_property
    def financing(self) -> dict[str, float]:
        """Money that holding has cost, by kind; below 0 where it has earned. It is in no trade's profit."""
        posted, units = self.executed.postings, self.account.units_per_one
        changes = (posted["change"][posted["kind"] == kind].sum() for kind in range(len(FINANCING)))
        return {name: float(0 - change) / units for name, change in zip(FINANCING, changes, strict=True)}

    @property
    def notionals(self) -> pl.Series:
        """Of each fill, not signed."""
        return (self.fills["quantity"] * self.fills["price"]).abs() * self.instrument.multiplier

    @cached_property
    def metrics(self) -> Metrics:
        return metrics_of(
            self.bars.ts_close_ns,
            self.executed.equity,
            self.equity["exposure"].to_numpy(),
            self.trades,
            turnover=float(self.notionals.sum()),
            fees=float(self.executed.fills["fee"].sum()) / self.account.units_per_one,
            financing=self.financing,
            initial=self.initial,
        )

    @property
    def stats(self) -> dict[str, Any]:
        """The metrics by name, as a row of a table of many runs."""
        figures: dict[str, Any] = msgspec.to_builtins(self.metrics)
        return figures

    def plot(self) -> Picture:
        """Equity and what it is below its peak, as SVG."""
        return picture(self.bars.ts_close_ns, self.executed.equity)

    def _repr_html_(self) -> str:
        return self.plot() + figures_table(self.metrics)

    def _ts_ns(self, phases: Any, bars: Any) -> Any:
        """The bar's open, or its close for what was within it."""
        return np.where(phases == OPEN, self.bars.ts_open_ns[bars], self.bars.ts_close_ns[bars])

    def _quantity(self, lots: Any) -> Any:
        grid = grid_of(self.instrument.lot_size)
        return lots * float(grid.numerator) / float(grid.denominator)

    def _exposure(self, position: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            exposure = position * self.bars.close * self.instrument.multiplier / self.executed.equity
        return np.where(position == 0.0, 0.0, exposure)

    def _open_profit(self) -> float:
        """What the last mark adds to what was realized: equity less balance."""
        made, units = self.executed, self.account.units_per_one
        return float(made.equity[-1] - made.last_balance_units / units) if len(made.fills) else 0.0


@dataclass(frozen=True, repr=False)
class Result(Traded):
    """A backtest that was run. The same settings, `code` and `data`, which are digests, give the same result."""

    settings: BacktestSettings
    library: "Library"
    funding: Funding | None = None

    @classmethod
    def of(
        cls,
        settings: BacktestSettings,
        library: "Library",
        bars: Bars,
        executed: Executed,
        funding: Funding | None = None,
    ) -> Self:
        return cls(settings.instrument, settings.account, bars, executed, settings, library, funding)

    @cached_property
    def code(self) -> str:
        from tradingd.rerun import code_digest  # the core and all, which only those need who ask for it

        return code_digest(self.library)

    @cached_property
    def data(self) -> str:
        return self.bars.digest()

    def __getstate__(self) -> dict[str, Any]:
        """Pickled with the digest of the code that made it."""
        return vars(self) | {"code": self.code}

    def why_no_trades(self) -> str | None:
        """In words; None where there are trades."""
        if len(self.executed.fills):
            return None
        warmup = self.library[self.settings.kind].instantiate(self.settings.strategy).warmup_bars
        if len(self.bars) < warmup:
            needs = f"{self.settings.kind} needs {warmup:,} bars before it decides"
            return f"no trades: {needs}; {len(self.bars):,} are there"
        if not np.any(self.executed.signals["target"]):
            return f"no trades: {self.settings.kind} never wanted a position in {len(self.bars):,} bars"
        instrument, account = self.instrument, self.account
        if self._expires_before_it_trades():
            return f"no trades: {instrument.id} expires at {instrument.expires}, before {self.settings.kind} trades"
        lot = f"one lot of {instrument.lot_size:g} at {self.bars.close[-1]:g}"
        has = f"{account.balance} {account.currency}"
        wanted = f"what {self.settings.kind} wanted was less than {lot} (equity is {has})"
        share = self.settings.simulation.volume_share
        limited = "" if share is None else f", or a lot more than {share:g} of the volume of its bars"
        return f"no trades: {wanted}, or came at the last close{self._waited()}{limited}"

    def _waited(self) -> str:
        """Where a position was wanted at a price."""
        wanted = self.executed.signals[self.executed.signals["target"] != 0.0]
        has_price = np.isfinite(wanted["limit"]) | np.isfinite(wanted["trigger"])
        return ", or waited for a limit or a trigger that was not met" if has_price.any() else ""

    def _expires_before_it_trades(self) -> bool:
        """Before the open that the first wanted position is for."""
        signals = self.executed.signals
        first = int(signals["bar"][np.argmax(signals["target"] != 0.0)])
        return bool(self.instrument.expires_ns <= self.bars.ts_open_ns[min(first + 1, len(self.bars) - 1)])

    def to_dict(self) -> dict[str, Any]:
        """Stable keys: what `trade backtest --json` prints."""
        recorded = {"funding_digest": self.funding.digest()} if self.funding else {}
        return recorded | {
            "strategy": self.settings.kind,
            "instrument": self.settings.instrument.id,
            "from_ns": int(self.bars.ts_open_ns[0]),
            "to_ns": int(self.bars.ts_close_ns[-1]),
            "metrics": self.stats,
            "settings": msgspec.to_builtins(self.settings),
            "code_digest": self.code,
            "data_digest": self.data,
        }

    def __repr__(self) -> str:
        m = self.metrics
        trades = f"{m.closed_trades:,} trades" + (f" and {m.open_trades} open" if m.open_trades else "")
        said = "" if m.total_return is None else f", return {m.total_return:.2%}"
        return f"<{self.settings.kind} on {self.settings.instrument.id}: {len(self.bars):,} bars, {trades}{said}>"


def _named(names: tuple[str, ...], indices: Any) -> pl.Series:
    return pl.Series(list(names), dtype=pl.String).gather(indices)


def _extremes(trips: Any) -> tuple[Any, Any]:
    """How far it was behind (at most 0) and ahead (at least 0), as fractions of the entry's price."""
    entry = trips["entry_price"]
    low, high = (trips["lowest"] - entry) / np.abs(entry), (trips["highest"] - entry) / np.abs(entry)
    is_long = trips["side"] > 0
    behind, ahead = np.where(is_long, low, -high), np.where(is_long, high, -low)
    return np.minimum(behind, 0.0), np.maximum(ahead, 0.0)
