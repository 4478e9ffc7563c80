"""A whole config over its recorded data: several instruments and strategies, one account, the limits of the gate."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.metrics import Metrics, metrics_of
from tradingd.backtesting.picture import Picture, figures_table, picture
from tradingd.backtesting.playing import play
from tradingd.backtesting.record import Posted, Record
from tradingd.backtesting.result import Traded
from tradingd.columns import F64, I64, TIMEFRAME_NS, TIMEFRAMES, BarArray
from tradingd.commit import Commit
from tradingd.config.load import core_settings, load
from tradingd.config.settings import Config
from tradingd.core.memory import Library
from tradingd.core.settings import CoreSettings
from tradingd.events import OrderRefused
from tradingd.feeds.bars.table import Bars
from tradingd.feeds.build import build_feed
from tradingd.feeds.feed import RowFeed
from tradingd.instruments import AccountSettings
from tradingd.kernels.financing import INTEREST
from tradingd.reducers.post import FINANCING
from tradingd.rerun import code_digest, load_library
from tradingd.strategies.settings import StrategySettings

FIGURES = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, repr=False)
class Portfolio:
    """`assets` are those of which there were bars, each as if its account held nothing else."""

    core: CoreSettings
    library: Library
    assets: tuple[Traded, ...]
    refused: tuple[OrderRefused, ...]
    interest: Mapping[str, Sequence[Posted]]  # of accounts that hold several instruments, by currency
    rejected: int = 0  # rows of the feed
    why_rejected: str = ""  # in words

    @property
    def account(self) -> AccountSettings:
        """The one that all others count in; money of a portfolio is in its currency."""
        return next(account for account in self.core.accounts if account.conversion is None)

    @property
    def initial(self) -> float:
        return float(self._opening[0]) / self._units

    @cached_property
    def ts_ns(self) -> I64:
        """Every time at which a bar of any instrument closed."""
        return np.unique(np.concatenate([asset.bars.ts_close_ns for asset in self.assets]))

    @cached_property
    def equity(self) -> pl.DataFrame:
        """A row per close of any bar: ts, equity in money, gross exposure as a fraction of equity."""
        return pl.DataFrame(
            {
                "ts": pl.Series(self.ts_ns).cast(pl.Datetime("ns", "UTC")),
                "equity": self._equity,
                "exposure": self._exposure,
            }
        )

    @cached_property
    def trades(self) -> pl.DataFrame:
        """Round trips of each instrument, flat to flat, in the order in which they began. What was made in another
        currency counts as it did at the end of the trip."""
        frames = [self.trades_of(asset).with_columns(instrument=pl.lit(asset.instrument.id)) for asset in self.assets]
        return pl.concat(frames).sort("entry_ts_ns", maintain_order=True)

    @cached_property
    def metrics(self) -> Metrics:
        return metrics_of(
            self.ts_ns,
            self._equity,
            self._exposure,
            self.trades,
            turnover=sum(float((asset.notionals * self.rates_of_fills(asset)).sum()) for asset in self.assets),
            fees=sum(self._fees(asset) for asset in self.assets) / self._units,
            financing=self.financing,
            initial=self.initial,
        )

    @cached_property
    def figures(self) -> dict[str, Metrics]:
        """Of each instrument, as if the account held nothing else, in its money."""
        return {asset.instrument.id: self._figures(asset) for asset in self.assets}

    def _figures(self, asset: Traded) -> Metrics:
        if asset.account == self.account and asset.initial == self.initial:
            return asset.metrics
        closes_ns = asset.bars.ts_close_ns
        rates = self._rates(asset.account, closes_ns)
        equity = self.initial + self._counted(asset.account, closes_ns, _gained(asset)) / self._units
        value = asset.equity["position"].to_numpy() * asset.bars.close * asset.instrument.multiplier * rates
        with np.errstate(divide="ignore", invalid="ignore"):  # of no equity
            exposure = np.where(value == 0.0, 0.0, value / equity)
        return metrics_of(
            closes_ns,
            equity,
            exposure,
            self.trades_of(asset),
            turnover=float((asset.notionals * self.rates_of_fills(asset)).sum()),
            fees=self._fees(asset) / self._units,
            financing={name: self._charged(asset, kind) / self._units for kind, name in enumerate(FINANCING)},
            initial=self.initial,
        )

    @cached_property
    def financing(self) -> dict[str, float]:
        """Money that holding has cost, by kind; below 0 where it has earned. Interest is the accounts'."""
        costs = {name: sum(self._charged(asset, kind) for asset in self.assets) for kind, name in enumerate(FINANCING)}
        costs[FINANCING[INTEREST]] += sum(self._interest_of(account) for account in self.core.accounts)
        return {name: units / self._units for name, units in costs.items()}

    def why_no_trades(self) -> str:
        """In words, where there are none."""
        if self.refused:
            return f"every order was refused, the first because {self.refused[0].text}"
        waiting = [self._too_few_bars(strategy) for strategy in self.core.strategies]
        if waiting and all(waiting):
            return str(waiting[0])
        return "no strategy wanted a position that is worth a lot, in all the bars that there are"

    def _too_few_bars(self, strategy: StrategySettings) -> str | None:
        """In words, where none of its instruments has the bars that it is warmed up with."""
        needs = self.library[strategy.kind].instantiate(strategy.params).warmup_bars
        bar_ns = TIMEFRAME_NS[TIMEFRAMES.index(strategy.timeframe)]
        own = [asset.bars.ts_open_ns for asset in self.assets if asset.instrument.id in strategy.instruments]
        most = max((len(np.unique(ts_open_ns // bar_ns)) for ts_open_ns in own), default=0)
        if most >= needs:
            return None
        wanted = f"{strategy.name} needs {needs:,} bars of {strategy.timeframe} before it decides"
        return f"{wanted}; at most {most:,} are there"

    def to_dict(self) -> dict[str, Any]:
        """Stable keys: what `trade backtest -c CONFIG --json` prints."""
        return {
            "strategies": [strategy.name for strategy in self.core.strategies],
            "from_ns": int(min(asset.bars.ts_open_ns[0] for asset in self.assets)),
            "to_ns": int(self.ts_ns[-1]),
            "metrics": self.stats,
            "assets": {name: msgspec.to_builtins(figures) for name, figures in self.figures.items()},
            "refused": len(self.refused),
            "rejected": self.rejected,
            "settings": msgspec.to_builtins(self.core),
            "code_digest": self.code,
            "data_digest": {asset.instrument.id: asset.bars.digest() for asset in self.assets},
        }

    @property
    def stats(self) -> dict[str, Any]:
        """The metrics by name, as a row of a table of many runs."""
        figures: dict[str, Any] = msgspec.to_builtins(self.metrics)
        return figures

    @cached_property
    def code(self) -> str:
        return code_digest(self.library)

    def __getstate__(self) -> dict[str, Any]:
        """Pickled with the digest of the code that made it."""
        return vars(self) | {"code": self.code}

    def plot(self) -> Picture:
        """Equity and what it is below its peak, as SVG."""
        return picture(self.ts_ns, self._equity)

    def _repr_html_(self) -> str:
        return self.plot() + figures_table(self.metrics)

    @cached_property
    def _equity(self) -> F64:
        gains = (
            self._counted(asset.account, self.ts_ns, self._at_closes(asset, _gained(asset))) for asset in self.assets
        )
        equity: F64 = sum(gains, self._opening + self._interest) / self._units
        return equity

    @property
    def _units(self) -> int:
        """Per one. Money is summed in units, which are whole where nothing is converted: sums of doubles are off."""
        return self.account.units_per_one

    def _counted(self, account: AccountSettings, ts_ns: I64, units: Any) -> F64:
        """Units of an account in those of the portfolio's, at the rates of each time."""
        counted: F64 = units * self._rates(account, ts_ns) * (self._units / account.units_per_one)
        return counted

    @cached_property
    def _opening(self) -> F64:
        """Units that the accounts began with, at the rates of each time."""
        opened = (self._counted(account, self.ts_ns, account.balance_units) for account in self.core.accounts)
        return sum(opened, np.zeros(len(self.ts_ns)))

    def trades_of(self, asset: Traded) -> pl.DataFrame:
        """Its round trips with money of the portfolio's account."""
        ends = asset.trades["exit_ts_ns"].fill_null(int(self.ts_ns[-1])).to_numpy()
        rates = pl.Series(self._rates(asset.account, ends))
        return asset.trades.with_columns(pl.col("profit") * rates, pl.col("fees") * rates)

    def _fees(self, asset: Traded) -> float:
        """In units."""
        ts_ns = asset.fills["ts"].dt.epoch("ns").to_numpy()
        return float(self._counted(asset.account, ts_ns, asset.executed.fills["fee"]).sum())

    def rates_of_fills(self, asset: Traded) -> pl.Series:
        """From its account's money to the portfolio's, at the time of each fill."""
        return pl.Series(self._rates(asset.account, asset.fills["ts"].dt.epoch("ns").to_numpy()), dtype=pl.Float64)

    def _rates(self, account: AccountSettings, ts_ns: I64) -> F64:
        """From its currency to the portfolio's at each time: of the newest close, before the first one of that."""
        if account.conversion is None:
            return np.ones(len(ts_ns))
        priced = next(asset for asset in self.assets if asset.instrument.id == account.conversion.instrument)
        newest = np.searchsorted(priced.bars.ts_close_ns, ts_ns, side="right") - 1
        prices: F64 = priced.bars.close[np.maximum(newest, 0)]
        return 1.0 / prices if account.conversion.inverse else prices

    @cached_property
    def _interest(self) -> F64:
        """Units earned so far, at the rates of each time; what falls due at a close is posted after it."""
        earned = (self._counted(account, self.ts_ns, self._earned(account)) for account in self.core.accounts)
        return sum(earned, np.zeros(len(self.ts_ns)))

    def _earned(self, account: AccountSettings) -> I64:
        posted = self.interest.get(account.currency, ())
        ts_ns, sums = [p.ts_ns for p in posted], np.cumsum([0, *(p.change for p in posted)])
        earned: I64 = sums[np.searchsorted(ts_ns, self.ts_ns)]
        return earned

    def _charged(self, asset: Traded, kind: int) -> float:
        posted = asset.executed.postings[asset.executed.postings["kind"] == kind]
        return self._cost(asset.account, asset.bars.ts_close_ns[posted["bar"]], posted["change"])

    def _interest_of(self, account: AccountSettings) -> float:
        posted = self.interest.get(account.currency, ())
        ts_ns, changes = np.array([(p.ts_ns, p.change) for p in posted], np.int64).reshape(-1, 2).T
        return self._cost(account, ts_ns, changes)

    def _cost(self, account: AccountSettings, ts_ns: I64, changes: I64) -> float:
        """In units, at the rates of its times."""
        return 0.0 - float(self._counted(account, ts_ns, changes).sum())

    @cached_property
    def _exposure(self) -> F64:
        """Gross, as a fraction of equity."""
        worth = (
            np.abs(asset.equity["position"].to_numpy() * asset.bars.close) * asset.instrument.multiplier
            for asset in self.assets
        )
        values = (
            self._at_closes(asset, held) * self._rates(asset.account, self.ts_ns)
            for asset, held in zip(self.assets, worth, strict=True)
        )
        with np.errstate(divide="ignore", invalid="ignore"):  # of no equity
            exposure: F64 = sum(values, np.zeros(len(self.ts_ns))) / self._equity
        return exposure

    def _at_closes(self, asset: Traded, values: F64) -> F64:
        """The newest of them at each of `ts_ns`; 0 before the first bar."""
        newest = np.searchsorted(asset.bars.ts_close_ns, self.ts_ns, side="right")
        at: F64 = np.append(0.0, values)[newest]
        return at


def backtest_config(path: Path, sets: Sequence[str] = (), journal: Path | None = None) -> Portfolio:
    """What a daemon with this config would have done on its recorded data, as fast as it goes.

    Raises ConfigError, StrategyError, FeedConfigError, BacktestError, JournalError, OSError.
    """
    return run_config(load(path, sets), path.absolute().parent, journal)


def run_config(config: Config, base: Path, journal: Path | None = None) -> Portfolio:
    """Strategies are found from `base` on. Raises StrategyError, FeedConfigError, BacktestError, JournalError."""
    core, feed = core_settings(config), _feed(config, base)
    library = load_library(core, base)
    return told(core, library, play(core, library, (feed.name,), feed.items(0), journal))


def told(core: CoreSettings, library: Library, commits: Iterable[Commit]) -> Portfolio:
    """Of the commits of a run. Raises BacktestError."""
    record, bars = Record(core.instruments), list[BarArray]()
    for commit in commits:
        record.take(commit.events)
        bars.append(commit.bars.rows)
    rejected = _rejected(record)
    if not (assets := tuple(_assets(core, record, np.concatenate(bars)))):
        why = f"; {rejected}" if rejected else ""
        raise BacktestError(f"no bar has closed in the data of the config, so there is nothing to tell of{why}")
    for into in (account.conversion for account in core.accounts if account.conversion):
        if into.instrument not in [asset.instrument.id for asset in assets]:
            raise BacktestError(f"{into.instrument} converts into {into.into}, and has no bars")
    return Portfolio(core, library, assets, tuple(record.refused), record.interest, record.rejected, rejected)


def _rejected(record: Record) -> str:
    """In words; empty where no row was."""
    if record.first_rejected is None:
        return ""
    first = f"{record.first_rejected.where}: {record.first_rejected.reason}"
    return f"rows of the feed rejected: {record.rejected:,}, the first at {first}"


def _feed(config: Config, base: Path) -> RowFeed:
    if len([account for account in config.accounts if account.conversion is None]) > 1:
        raise BacktestError("a backtest has one account; give the others of the config a conversion into it")
    if len(config.feeds) > 1:
        raise BacktestError("a backtest takes one feed; put the files of all into one, which merges them by time")
    feed = build_feed(msgspec.structs.replace(config.feeds[0], pace="max"), 0, config.instruments, base)
    assert isinstance(feed, RowFeed), "at full speed it is no other"
    return feed


def _assets(core: CoreSettings, record: Record, bars: BarArray) -> Iterator[Traded]:
    for index, instrument in enumerate(core.instruments):
        finest = core.timeframes_of(instrument.id)[0]
        own = bars[(bars["instrument"] == index) & (bars["timeframe"] == finest)]
        if len(own):
            columns = (np.ascontiguousarray(own[name]) for name in ("ts_open", "ts_close", *FIGURES))
            made = Bars(*columns)
            account = next(each for each in core.accounts if each.currency == instrument.currency)
            executed = record.executed(index, made, account)
            yield Traded(instrument, account, made, executed)


def _gained(asset: Traded) -> F64:
    """Whole units since the beginning, after each bar."""
    units: F64 = np.rint(asset.executed.equity * asset.account.units_per_one)
    return units - asset.executed.balance_units
