"""A headless, event-sourced trading daemon whose every decision can be re-executed from its journal."""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`from tradingd import backtest` without its imports for everybody else."""
    if name != "backtest":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tradingd.backtesting.run import backtest

    return backtest
