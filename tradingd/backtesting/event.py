"""The event engine: bars through the same core, risk gate, order life cycle and simulated venue as the daemon's."""

import platform
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from tradingd.backtesting.engine import Executed
from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.record import Record
from tradingd.backtesting.settings import BacktestSettings
from tradingd.columns import TICK_COLUMNS, TIMEFRAMES, TickBatch
from tradingd.commit import Commit
from tradingd.config.load import digest
from tradingd.core.advance import advance
from tradingd.core.memory import Library
from tradingd.core.settings import BarSettings, CoreSettings, encode_settings
from tradingd.core.state import initial_state
from tradingd.events import AnyBody, Input, RunStarted, RunStopped
from tradingd.feeds.bars.rows import rows_of
from tradingd.feeds.bars.table import Bars
from tradingd.instruments import Session
from tradingd.journal.head import Head
from tradingd.journal.settings import JournalSettings
from tradingd.journal.writer import Journal
from tradingd.rerun import code_digest, user_texts, versions
from tradingd.risk.settings import RiskSettings
from tradingd.simulation.settings import SimulationSettings
from tradingd.strategies.settings import StrategySettings

SOURCE = "bars"
BARS_AT_ONCE = 4096
EVENT = "backtest"


def core_settings(settings: BacktestSettings, bars: Bars) -> CoreSettings:
    """The same backtest as a config of the core: no limits but sizing, no latency, and bars trade at any hour."""
    timeframe = TIMEFRAMES[bars.timeframe]
    strategy = StrategySettings(
        name=EVENT,
        kind=settings.kind,
        instruments=(settings.instrument.id,),
        timeframe=timeframe,  # type: ignore[arg-type]
        params=settings.strategy,
        exits=settings.exits,
        allocation=settings.allocation,
    )
    return CoreSettings(
        instruments=(msgspec.structs.replace(settings.instrument, session=Session()),),
        accounts=(settings.account,),
        strategies=(strategy,),
        risk=_without_limits(settings),
        simulation=SimulationSettings(
            latency_ms=0.0, cancel_latency_ms=0.0, slippage_ticks=settings.simulation.slippage_ticks
        ),
        bars=BarSettings(timeframes=(timeframe,)),  # type: ignore[arg-type]
    )


def daemon_config(settings: BacktestSettings, bars: Bars, file: Path, base: Path) -> dict[str, Any]:
    """The same backtest for `tradingd start`: `file` holds the bars, `base` is what paths of strategies start from."""
    core: dict[str, Any] = msgspec.to_builtins(core_settings(settings, bars))
    for kinds in (core["strategies"], core["strategies"][0]["exits"]):
        for each in kinds:
            path, colon, name = each["kind"].rpartition(":")
            each["kind"] = f"{(base / path).absolute()}:{name}" if colon else name
    for instrument in core["instruments"]:
        del instrument["session"]
    feed = {"path": str(file), "instrument": settings.instrument.id, "timeframe": TIMEFRAMES[bars.timeframe]}
    feeds = [{"kind": "bars", "name": SOURCE, "files": [feed]}]
    return core | {"name": EVENT, "feeds": feeds, "daemon": {"free_space_min_mb": 0, "log_level": "warning"}}


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


def execute_by_core(settings: BacktestSettings, bars: Bars, library: Library, journal: Path | None = None) -> Executed:
    """Fills, marks and round trips of the same bars; with `journal` all events are kept in that new folder.

    Raises StrategyError, BacktestError, JournalError.
    """
    if bars.ts_open_ns[0] < 0:
        raise BacktestError("the event engine has no time before 1970; the kernel engine takes these bars")
    core = core_settings(settings, bars)
    record = Record(core.instruments[0], settings.account.balance_units)
    with ExitStack() as stack:
        kept = stack.enter_context(_Kept(journal)) if journal else None
        for commit in _commits(core, bars, library, kept):
            record.take(commit.events)
            if kept:
                kept.append(commit)
    return record.executed(bars, settings.account.units_per_one)


class _Kept:
    """A new journal, written in a thread while the core goes on."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and any(folder.iterdir()):
            raise BacktestError(f"{folder} is not empty; give --journal a folder of its own")
        self.journal = Journal.open(folder, JournalSettings(roll_daily=False))
        self._thread = ThreadPoolExecutor(1)
        self._before: Future[Head] | None = None

    def append(self, commit: Commit) -> None:
        """Returns when the commit before this one is durable."""
        if self._before is not None:
            self._before.result()
        self._before = self._thread.submit(self.journal.append, commit)

    def __enter__(self) -> "_Kept":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._thread.shutdown()
        if kind is None and self._before is not None:
            self._before.result()
            self.journal.close()
        else:
            self.journal.abandon()


def _commits(core: CoreSettings, bars: Bars, library: Library, kept: _Kept | None) -> Iterator[Commit]:
    state = initial_state(core, library)
    yield advance(state, [_said(_started(core, library, kept), 0)])
    for start in range(0, len(bars), BARS_AT_ONCE):
        yield advance(state, [_batch(bars, start)])
    yield advance(state, [_said(RunStopped("the bars are at their end"), state.memory.core_ns)])


def _batch(bars: Bars, start: int) -> TickBatch:
    columns = rows_of(bars, start, start + BARS_AT_ONCE, instrument=0)
    return TickBatch(source=0, frames=(), **{name: columns[name] for name in TICK_COLUMNS})


def _said(body: AnyBody, ts_ns: int) -> Input:
    return Input(ts_event_ns=ts_ns, ts_received_ns=ts_ns, source=EVENT, body=body)


def _started(core: CoreSettings, library: Library, kept: _Kept | None) -> RunStarted:
    return RunStarted(
        journal_id=kept.journal.id if kept else EVENT,
        epoch=kept.journal.epoch if kept else 1,
        config=encode_settings(core),
        config_digest=digest(core),
        code_digest=code_digest(library),
        sources=(SOURCE,),
        strategies=user_texts(library),
        versions=versions(),
        processor=platform.processor() or platform.machine(),
    )
