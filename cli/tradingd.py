"""tradingd: the daemon, for those who operate it."""

from . import control
from .frame import application, run

app = application("tradingd", "Runs the trading daemon and tells a running one what to do.")
control.register(app)


def main() -> None:
    run(app)
