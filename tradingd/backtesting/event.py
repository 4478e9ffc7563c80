"""The event engine: bars through the same core, risk gate, order life cycle and simulated venue as the daemon's."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tradingd.backtesting.engine import Executed
from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.financing import reached
from tradingd.backtesting.playing import play
from tradingd.backtesting.record import Record
from tradingd.backtesting.settings import BacktestSettings
from tradingd.columns import TIMEFRAMES
from tradingd.core.advance import Item
from tradingd.core.memory import Library
from tradingd.core.settings import BarSettings, CoreSettings
from tradingd.feeds.bars.feed import bar_rows
from tradingd.feeds.bars.funding import Funding
from tradingd.feeds.bars.table import Bars
from tradingd.feeds.merge import merge
from tradingd.feeds.rows import items_of
from tradingd.instruments import Session
from tradingd.risk.settings import RiskSettings
from tradingd.simulation.settings import SimulationSettings
from tradingd.strategies.settings import StrategySettings

SOURCE = "bars"
BARS_AT_ONCE = 40_960  # three rows each: as many as DuckDB takes over as they are, where fewer are appended twice
NAME = "backtest"
TOO_EARLY = "the event engine has no time before 1970"


def as_core_settings(settings: BacktestSettings, bars: Bars) -> CoreSettings:
    """The same backtest as a config of the core: no limits but sizing, no latency, and bars trade at any hour."""
    timeframe = TIMEFRAMES[bars.timeframe]
    strategy = StrategySettings(
        name=NAME,
        kind=settings.kind,
        instruments=(settings.instrument.id,),
        timeframe=timeframe,
        params=settings.strategy,
        exits=settings.exits,
        allocation=settings.allocation,
        time_in_force=settings.time_in_force,
    )
    return CoreSettings(
        instruments=(msgspec.structs.replace(settings.instrument, session=Session()),),
        accounts=(settings.account,),
        strategies=(strategy,),
        risk=_without_limits(settings),
        simulation=SimulationSettings(
            latency_ms=0.0,
            cancel_latency_ms=0.0,
            slippage_rate=settings.simulation.slippage_rate,
            slippage_ticks=settings.simulation.slippage_ticks,
            volume_share=settings.simulation.volume_share,
        ),
        bars=BarSettings(timeframes=(timeframe,)),
    )


def daemon_config(
    settings: BacktestSettings, bars: Bars, funding: Funding | None, folder: Path, base: Path
) -> dict[str, Any]:
    """The same backtest for `tradingd start`: `folder` is to hold the data, `base` is what paths of strategies start
    from."""
    file, rates = folder / "bars.parquet", folder / "funding.parquet"
    bars.frame().write_parquet(file)
    reached(funding, bars).frame().write_parquet(rates)
    core: dict[str, Any] = msgspec.to_builtins(as_core_settings(settings, bars))
    for kinds in (core["strategies"], core["strategies"][0]["exits"]):
        for each in kinds:
            path, colon, name = each["kind"].rpartition(":")
            each["kind"] = f"{(base / path).absolute()}:{name}" if colon else name
    for instrument in core["instruments"]:
        del instrument["session"]
    feed = {"path": str(file), "instrument": settings.instrument.id, "timeframe": TIMEFRAMES[bars.timeframe]}
    told = [{"path": str(rates), "instrument": settings.instrument.id}] if funding else []
    feeds = [{"kind": "bars", "name": SOURCE, "files": [feed], "funding": told}]
    return core | {"name": NAME, "feeds": feeds, "daemon": {"free_space_min_mb": 0, "log_level": "warning"}}


def _without_limits(settings: BacktestSettings) -> RiskSettings:
    return RiskSettings(
        risk_per_trade=settings.risk.risk_per_trade,
        max_leverage=settings.risk.max_leverage,
        price_collar=None,
        order_rate=None,
        duplicate_window_ms=0,
        gross_limit=None,
        net_limit=None,
        daily_loss=None,
        drawdown=None,
        stale_data_ms=None,
        market_hours=False,
        retries_max=0,
    )


def execute_by_core(
    settings: BacktestSettings,
    bars: Bars,
    library: Library,
    journal: Path | None = None,
    funding: Funding | None = None,
) -> Executed:
    """Fills, marks and round trips of the same bars; with `journal` all events are kept in that new folder.

    Raises StrategyError, BacktestError, JournalError.
    """
    if bars.ts_open_ns[0] < 0:
        raise BacktestError(f"{TOO_EARLY}; the kernel engine takes these bars")
    core = as_core_settings(settings, bars)
    record = Record(core.instruments)
    for commit in play(core, library, (SOURCE,), batches(bars, funding), journal):
        record.take(commit.events)
    return record.executed(0, bars, settings.account)


def batches(bars: Bars, funding: Funding | None = None) -> Iterator[Sequence[Item]]:
    """The bars as rows, and what was charged meanwhile, as a feed would tell them."""
    rates = reached(funding, bars).rows(SOURCE, instrument=0)
    for rows in merge([bar_rows(bars, 0, 0, BARS_AT_ONCE), iter([rates])], rows_ahead=BARS_AT_ONCE):
        yield items_of(rows, SOURCE, source=0, files=())
