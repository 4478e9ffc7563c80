"""What a depth backtest came to: frames for notebooks, figures for programs."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import polars as pl

from tradingd.backtesting.depth.engine import Executed
from tradingd.backtesting.depth.events import DepthEvents
from tradingd.backtesting.depth.settings import DepthSettings
from tradingd.grid import grid_of
from tradingd.kernels.depth_records import BUY
from tradingd.rerun import code_digest
from tradingd.strategies.makers.contract import CompiledMaker


@dataclass(frozen=True, repr=False)
class DepthResult:
    """A depth backtest that was run. The same settings, events and code give the same result."""

    settings: DepthSettings
    events: DepthEvents
    maker: CompiledMaker
    executed: Executed

    @cached_property
    def fills(self) -> pl.DataFrame:
        """A row per fill; `ts` is the exchange's. Money is in the account's currency, before the fee where realized.

        `queue` is what was before the order when it joined the queue of its price, in units; 0 for takers.
        """
        f, units = self.executed.fills, self.settings.account.units_per_one
        return pl.DataFrame(
            {
                "ts": _times(f["ts_ns"]),
                "order": f["order"],
                "side": pl.Series(np.where(f["side"] == BUY, "buy", "sell"), dtype=pl.String),
                "price": f["price"],
                "quantity": self._quantity(f["lots"]),
                "fee": f["fee"] / units,
                "realized": f["realized"] / units,
                "position": self._quantity(f["position"]),
                "balance": f["balance"] / units,
                "maker": f["maker"] != 0,
                "queue": self._quantity(f["queue"]),
            }
        )

    @cached_property
    def equity(self) -> pl.DataFrame:
        """A row per sample: ts, equity in money with the position at the mark, position in units, mark."""
        s, units = self.executed.samples, self.settings.account.units_per_one
        return pl.DataFrame(
            {
                "ts": _times(s["ts_ns"]),
                "equity": s["equity"] / units,
                "position": self._quantity(s["position"]),
                "mark": pl.Series(s["mark"]).fill_nan(None),
            }
        )

    @property
    def counts(self) -> dict[str, int]:
        """Steps; orders and cancels sent; orders filled, canceled, expired, rejected; cancels too late; fills."""
        return dict(self.executed.counts)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Figures by name; money in the account's currency, quantities in units."""
        fills, equity = self.fills, self.equity["equity"]
        initial = self.settings.account.balance_units / self.settings.account.units_per_one
        bought = fills.filter(pl.col("side") == "buy")["quantity"].sum()
        sold = fills.filter(pl.col("side") == "sell")["quantity"].abs().sum()
        highest = equity.cum_max().to_numpy()
        return {
            "events": len(self.events),
            **self.counts,
            "maker_fills": int(fills["maker"].sum()),
            "bought": float(bought),
            "sold": float(sold),
            "turnover": float((fills["quantity"].abs() * fills["price"]).sum()) * self.settings.instrument.multiplier,
            "fees": float(fills["fee"].sum()),
            "realized": float(fills["realized"].sum()),
            "profit": float(equity[-1] - initial),
            "final_equity": float(equity[-1]),
            "final_position": float(self.equity["position"][-1]),
            "max_drawdown": float((np.maximum(highest, initial) - equity.to_numpy()).max()),
        }

    def to_dict(self) -> dict[str, Any]:
        """Stable keys."""
        return {
            "strategy": self.settings.kind,
            "instrument": self.settings.instrument.id,
            "from_ns": int(self.events.ts_event_ns[0]),
            "to_ns": int(self.events.ts_received_ns[-1]),
            "summary": self.summary,
            "settings": msgspec.to_builtins(self.settings),
            "code_digest": code_digest({self.settings.kind: self.maker}),
            "data_digest": self.events.digest(),
        }

    def __repr__(self) -> str:
        counts, profit = self.counts, self.summary["profit"]
        did = f"{counts['orders']:,} orders, {counts['fills']:,} fills"
        what = f"{self.settings.kind} on {self.settings.instrument.id}: {len(self.events):,} events"
        return f"<{what}, {did}, profit {profit:,.2f}>"

    def _quantity(self, lots: Any) -> Any:
        grid = grid_of(self.settings.instrument.lot_size)
        return lots * float(grid.numerator) / float(grid.denominator)


def _times(ts_ns: Any) -> pl.Series:
    return pl.Series(ts_ns, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))
