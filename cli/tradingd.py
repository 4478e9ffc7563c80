"""tradingd: the daemon, for those who operate it."""

from . import control, demo, start, tail
from .frame import application, run

app = application("tradingd", "Runs the trading daemon and tells a running one what to do.")
app.command()(start.start)
app.command()(demo.demo)
control.register(app)
app.command()(tail.tail)


def main() -> None:
    run(app)
