"""What keeps a backtest from running."""


class BacktestError(ValueError):
    """A backtest that can not be run as asked; one line that says what, where and what to do."""
