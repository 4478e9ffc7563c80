"""Backtests on depth and trades, event by event: `from tradingd.backtesting.depth import depth_backtest`."""

from tradingd.backtesting.depth.events import DepthEvents
from tradingd.backtesting.depth.result import DepthResult
from tradingd.backtesting.depth.run import depth_backtest

__all__ = ["DepthEvents", "DepthResult", "depth_backtest"]
