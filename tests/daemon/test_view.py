"""What an operator is shown, and how the log says it."""

import json
import logging
import sys
from pathlib import Path

import pytest
from small_day import play_config, write_config

from tradingd.daemon.logs import JsonFormatter, set_up_logs
from tradingd.events import FeedState
from tradingd.grid import money_text


def test_the_status_of_a_run_that_is_over(tmp_path: Path) -> None:
    daemon = play_config(write_config(tmp_path))
    status = daemon.final_status()
    assert (status.instance, status.state, status.epoch, status.seq) == ("small", "stopping", 1, daemon.state.seq)
    assert status.core_time_ns == daemon.state.memory.core_ns
    assert [(feed.name, feed.state) for feed in status.feeds] == [("market", FeedState.DONE)]
    assert status.feeds[0].detail.startswith("4000 rows: ")
    # money adds up: equity is the balance and what the positions are worth above their cost
    (account,) = status.accounts
    assert account.currency == "USD"
    assert account.balance == money_text(daemon.state.ledger.accounts["USD"].balance, 1_000_000)
    unrealized = sum(float(position.unrealized) for position in status.positions)
    assert float(account.equity) == pytest.approx(float(account.balance) + unrealized, abs=1e-5)
    # a position is in units of the instrument, at a price that was there
    lots = {i: p.lots for i, p in daemon.state.ledger.positions.items() if p.lots}
    assert [position.quantity for position in status.positions] == [float(n) for n in lots.values()]
    for position in status.positions:
        assert position.average_price == pytest.approx({"SIM:ALFA": 100, "SIM:BETA": 50}[position.instrument], rel=0.05)
    assert status.open_orders == len(daemon.state.ledger.orders)
    assert status.counts == dict(daemon.counts)


@pytest.mark.parametrize(
    ("units", "per_one", "text"),
    [(0, 1, "0"), (150, 100, "1.5"), (-1, 1_000_000, "-0.000001"), (10**18, 10**6, "1000000000000"), (5, 1, "5")],
)
def test_money_is_plain_decimal_text(units: int, per_one: int, text: str) -> None:
    assert money_text(units, per_one) == text


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("tradingd", logging.WARNING, __file__, 1, message, None, None)
    made.__dict__.update(extra)
    return made


def test_a_log_record_is_one_json_object() -> None:
    formatter = JsonFormatter()
    assert json.loads(formatter.format(record("two\nlines, é", seq=3, n=1, other=5))) == {
        "level": "warning",
        "logger": "tradingd",
        "message": "two\nlines, é",
        "seq": 3,
        "n": 1,
    }
    assert "\n" not in formatter.format(record("two\nlines"))
    try:
        raise ValueError("a bug")
    except ValueError:
        failed = record("it failed", exc_info=sys.exc_info())
    assert "ValueError: a bug" in json.loads(formatter.format(failed))["traceback"]


def test_the_log_goes_to_standard_error_from_its_level_on(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        set_up_logs("warning")
        logging.getLogger("tradingd").info("not this")
        logging.getLogger("tradingd").warning("this")
    finally:
        root.handlers[:], root.level = before, level
    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line)["message"] for line in err.splitlines()] == ["this"]
