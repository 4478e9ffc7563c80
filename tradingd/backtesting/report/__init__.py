"""A backtest as one HTML file that needs nothing else."""

from tradingd.backtesting.report.page import page, write_report

__all__ = ["page", "write_report"]
