"""trade: journals, strategies and configs, for quants and auditors."""

from . import backtest, bars, compare, config, data, depth, doctor, explain, journal, replay, state, strategy, verify
from .frame import application, run

app = application("trade", "Reads journals, proves them by replay, and works with strategies and configs.")
app.add_typer(config.app, name="config")
app.add_typer(strategy.app, name="strategy")
app.add_typer(journal.app, name="journal")
app.add_typer(data.app, name="data")
app.command()(backtest.backtest)
app.command()(depth.depth)
app.command()(compare.compare)
app.command()(doctor.doctor)
app.command()(verify.verify)
app.command()(replay.replay)
app.command()(state.state)
app.command()(state.diff)
app.command()(explain.explain)
app.command()(bars.bars)


def main() -> None:
    run(app)
