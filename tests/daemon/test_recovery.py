"""How a start comes by its state: fresh, by re-execution or warmed up; the record re-executes whatever it was."""

from pathlib import Path

import pytest
from small_day import (
    CONFIG,
    ROWS,
    bodies_of,
    caught_up,
    commits_of,
    held,
    journal_of,
    play,
    play_config,
    prepared,
    re_executed,
    rows_of,
    write_config,
)

from tradingd.core.snapshot import state_digest
from tradingd.daemon.daemon import Daemon
from tradingd.daemon.prepare import Prepared
from tradingd.daemon.recovery import RecoveryError
from tradingd.events import OrderFilled, Resumption, RunStarted, Signal
from tradingd.feeds.contract import FeedConfigError
from tradingd.journal.reader import JournalReader
from tradingd.reducers.digest import digest_view
from tradingd.rerun import books_of

USER_STRATEGY = """
from msgspec import Struct

from tradingd.strategies.contract import PythonStrategy, Target


class Mine(PythonStrategy):
    class State(Struct):
        last: float = 0.0

    def on_bar(self, state, bar, params):
        move, state.last = bar.close - state.last, bar.close
        return Target(SIGN * 0.5 if move > 0 else -SIGN * 0.5)


SIGN = 1
"""
WITH_USER_STRATEGY = (
    CONFIG
    + """
[[strategies]]
name = "mine"
kind = "mine.py:Mine"
instruments = ["SIM:ALFA"]
timeframe = "1s"
allocation = 0.1
"""
)
THIRD = """
[[instruments]]
id = "SIM:CETI"
asset_class = "equity"
tick_size = 0.01
lot_size = 1
currency = "EUR"

[[accounts]]
currency = "EUR"
balance = "5000"
unit = "0.01"
"""
THIRD_FIRST = CONFIG.replace("[[instruments]]", THIRD + "[[instruments]]", 1)


def play_part(config: Path, batches: int, *overrides: str) -> Daemon:
    """A run that stops before a batch of the feed."""
    p, feed = held(prepared(config, *overrides), batches)

    async def stop(daemon: Daemon) -> None:
        await feed.reached[batches].wait()
        await caught_up(daemon, feed)
        daemon.stop("a part")

    return play(p, stop, until_done=False)


def peek(config: Path, *overrides: str) -> Prepared:
    """What a start would begin with; leaves the journal as a kill would."""
    p = prepared(config, *overrides)
    p.journal.abandon()
    return p


def runs_of(config: Path) -> list[RunStarted]:
    return [body for body in bodies_of(journal_of(config), RunStarted) if isinstance(body, RunStarted)]


def forget_snapshots(config: Path) -> None:
    for path in (journal_of(config) / "snapshots").iterdir():
        path.unlink()


def test_the_first_start_is_fresh(tmp_path: Path) -> None:
    p = peek(write_config(tmp_path))
    assert (p.recovered.how, p.recovered.state.seq, p.sources) == (Resumption.FRESH, 0, ("market",))
    # a journal that was opened, and killed before it began, is fresh again
    assert peek(write_config(tmp_path)).recovered.how is Resumption.FRESH


def test_it_is_rebuilt_from_the_newest_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write_config(tmp_path)
    before = play_part(config, 5)
    p = peek(config)
    assert p.recovered.how is Resumption.REBUILT
    assert p.recovered.state.seq == before.state.seq
    assert state_digest(p.recovered.state) == state_digest(before.state)


def test_it_is_rebuilt_from_the_start_where_there_is_no_snapshot(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    before = play_part(config, 5)
    forget_snapshots(config)
    p = peek(config)
    assert p.recovered.how is Resumption.REBUILT
    assert state_digest(p.recovered.state) == state_digest(before.state)


@pytest.mark.parametrize(
    "change",
    [
        "strategies.0.params.slow=30",
        "risk.max_notional=5000.0",
        'bars.timeframes=["1s"]',
        "simulation.slippage_ticks=3",
    ],
)
def test_it_is_warmed_up_for_changed_settings(tmp_path: Path, change: str) -> None:
    # given a run that stopped with a position
    config = write_config(tmp_path)
    before = play_part(config, 10)
    assert any(position.lots for position in before.state.ledger.positions.values())
    # when it goes on with other settings
    daemon = play_config(config, change)
    # then the ledger went on, no row is lost, and all of it re-executes
    assert [run.resumed for run in runs_of(config)] == [Resumption.FRESH, Resumption.WARMED]
    assert runs_of(config)[1].warm_from_seq == 1
    assert rows_of(journal_of(config)) == ROWS
    assert daemon.state.ledger.fills > before.state.ledger.fills
    assert state_digest(re_executed(journal_of(config))) == state_digest(daemon.state)


def test_a_warm_up_with_open_orders_re_executes(tmp_path: Path) -> None:
    """Stopped at every tenth of the day under changing settings."""
    config = write_config(tmp_path)
    for number, batches in enumerate((2, 2, 3, 3)):
        play_part(config, batches, f"strategies.0.params.slow={20 + number}")
    daemon = play_config(config, "strategies.0.params.slow=19")
    assert [run.resumed for run in runs_of(config)] == [Resumption.FRESH, *[Resumption.WARMED] * 4]
    assert rows_of(journal_of(config)) == ROWS
    assert state_digest(re_executed(journal_of(config))) == state_digest(daemon.state)


def test_strategies_are_warm_after_a_warm_up(tmp_path: Path) -> None:
    """sma_cross needs 20 bars before it says anything; a warmed one speaks at its next bar."""
    config = write_config(tmp_path)
    stopped = play_part(config, 10).state.memory.core_ns
    play_config(config, "risk.max_notional=5000.0")
    said = [
        body.ts_bar_close_ns
        for commit in commits_of(journal_of(config))
        for event in commit.events
        if isinstance(body := event.body, Signal) and body.strategy == "cross" and body.ts_bar_close_ns > stopped
    ]
    assert min(said) - stopped < 3_000_000_000


def test_a_warmed_run_is_rebuilt_by_the_next_start(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    play_part(config, 5)
    second = play_part(config, 5, "risk.max_notional=5000.0")
    p = peek(config, "risk.max_notional=5000.0")
    assert p.recovered.how is Resumption.REBUILT
    assert state_digest(p.recovered.state) == state_digest(second.state)


def test_settings_that_come_back_after_others_are_not_taken_for_the_same(tmp_path: Path) -> None:
    """The newest snapshot is of these settings, but a run with others came after it, and took none."""
    config = write_config(tmp_path)
    play_part(config, 5)
    play_part(config, 5, "risk.max_notional=5000.0")
    newest = max((journal_of(config) / "snapshots").iterdir())
    newest.unlink()
    p = peek(config)
    assert p.recovered.how is Resumption.WARMED
    assert p.recovered.state.settings == p.settings
    daemon = play_config(config)
    assert state_digest(re_executed(journal_of(config))) == state_digest(daemon.state)


def test_an_edited_strategy_is_warmed_up_and_the_old_text_is_in_the_journal(tmp_path: Path) -> None:
    config = write_config(tmp_path, WITH_USER_STRATEGY)
    file = tmp_path / "mine.py"
    file.write_text(USER_STRATEGY)
    play_part(config, 8)
    file.write_text(USER_STRATEGY.replace("SIGN = 1", "SIGN = -1"))
    daemon = play_config(config)
    first, second = runs_of(config)
    assert second.resumed is Resumption.WARMED
    assert first.config_digest == second.config_digest
    assert first.code_digest != second.code_digest
    assert first.strategies == {"mine.py:Mine": USER_STRATEGY}
    # the file is not needed to execute the record again
    file.unlink()
    assert state_digest(re_executed(journal_of(config))) == state_digest(daemon.state)


def test_a_strategy_that_remembers_outside_of_its_state_is_found_out(tmp_path: Path) -> None:
    config = write_config(tmp_path, WITH_USER_STRATEGY)
    (tmp_path / "mine.py").write_text(
        USER_STRATEGY.replace("move, state.last", "SEEN.append(1); move, state.last").replace(
            "SIGN * 0.5 if move > 0", "0.5 if len(SEEN) % 3"
        )
        + "SEEN = []\n"
    )
    play_part(config, 8)
    forget_snapshots(config)
    with pytest.raises(RecoveryError, match=r"^the journal does not re-execute to itself: at \(\d+, \d+\)"):
        prepared(config)
    # and the journal was let go
    with JournalReader.open(journal_of(config)) as reader:
        assert not reader.is_live


def test_an_added_instrument_comes_last_and_its_account_is_opened(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    play_part(config, 5)
    write_config(tmp_path, CONFIG + THIRD)
    daemon = play_config(config)
    assert [i.id for i in daemon.state.settings.instruments] == ["SIM:ALFA", "SIM:BETA", "SIM:CETI"]
    assert daemon.state.ledger.accounts["EUR"].balance == 500_000
    assert rows_of(journal_of(config)) == ROWS
    assert state_digest(re_executed(journal_of(config))) == state_digest(daemon.state)


def test_a_removed_instrument_keeps_its_index_and_its_account(tmp_path: Path) -> None:
    # given a first run with three instruments, the third one first
    config = write_config(tmp_path, THIRD_FIRST)
    play_part(config, 5)
    # when the config does not name it any more
    write_config(tmp_path)
    daemon = play_config(config)
    # then ticks of the others mean what they meant
    assert [i.id for i in daemon.state.settings.instruments] == ["SIM:CETI", "SIM:ALFA", "SIM:BETA"]
    instruments = {
        int(index) for commit in commits_of(journal_of(config)) for _, b in commit.ticks for index in b.instrument
    }
    assert instruments == {1, 2}
    assert daemon.state.ledger.accounts["EUR"].balance == 500_000
    assert state_digest(re_executed(journal_of(config))) == state_digest(daemon.state)


def test_feeds_keep_their_source_when_their_order_changes(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    play_part(config, 5)
    start = CONFIG.index("[[feeds]]")
    other = (CONFIG[start : CONFIG.index("[bars]")]).replace('"market"', '"another"').replace("seed = 7", "seed = 8")
    other = other.replace("seed", 'pace = "recorded"\nspeed = 1e6\nseed')  # only one may go as fast as it can
    write_config(tmp_path, CONFIG[:start] + other + CONFIG[start:])
    daemon = play_config(config)
    assert runs_of(config)[-1].sources == ("market", "another")
    assert daemon.state.ledger.cursors == {"market": ROWS, "another": ROWS}
    by_source = {0: 0, 1: 0}
    for commit in commits_of(journal_of(config)):
        for _, batch in commit.ticks:
            by_source[batch.source] += len(batch)
    assert by_source == {0: ROWS, 1: ROWS}
    assert state_digest(re_executed(journal_of(config))) == state_digest(daemon.state)


def test_the_ledger_of_facts_alone_is_the_ledger(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    play_part(config, 8)
    daemon = play_config(config, "strategies.0.params.slow=30")
    with JournalReader.open(journal_of(config)) as reader:
        books = books_of(reader.commits, reader.last_seq)
    assert digest_view(books.ledger) == digest_view(daemon.state.ledger)
    assert books.ledger.run == daemon.state.ledger.run
    assert books.settings == daemon.state.settings


def test_the_ledgers_money_is_not_the_configs(tmp_path: Path) -> None:
    """A balance in the config is for the first start; later the journal says what there is."""
    config = write_config(tmp_path)
    before = play_part(config, 5)
    p = peek(config, 'accounts.0.balance="999999"')
    assert p.recovered.state.ledger.accounts == before.state.ledger.accounts
    daemon = play_config(config, 'accounts.0.balance="999999"')
    assert state_digest(re_executed(journal_of(config))) == state_digest(daemon.state)


def test_another_unit_of_money_is_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    play_part(config, 5)
    with pytest.raises(RecoveryError, match=r"the account in USD is counted in 1/1000000 .* start a new journal$"):
        prepared(config, 'accounts.0.unit="0.01"')


def test_another_lot_size_is_refused_while_there_is_a_position(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    before = play_part(config, 10)
    assert before.state.ledger.lots(0)
    with pytest.raises(RecoveryError, match=r"SIM:ALFA: lot_size was 1.0 and is 10.0 now, but a position"):
        prepared(config, "instruments.0.lot_size=10")


def test_a_feed_that_can_not_start_lets_the_journal_go(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with pytest.raises(FeedConfigError, match="is no ISO time"):
        prepared(config, 'feeds.0.start="soon"')
    prepared(config).journal.close()


def test_a_feed_of_other_rows_than_the_journals_is_refused_until_it_has_another_name(tmp_path: Path) -> None:
    # given a journal of a whole day
    config = write_config(tmp_path)
    play_config(config)
    # when its feed is to go on as another market
    with pytest.raises(FeedConfigError, match=r"^feed market: the 4,000 rows in the journal are of other files or set"):
        prepared(config, "feeds.0.seed=8")
    # then the journal was let go; at another pace it goes on, and under another name the other market is played
    play_config(config, 'feeds.0.pace="recorded"', "feeds.0.speed=1000000.0")
    assert rows_of(journal_of(config)) == ROWS
    daemon = play_config(config, "feeds.0.seed=8", 'feeds.0.name="other"')
    assert daemon.state.ledger.cursors == {"market": ROWS, "other": ROWS}


def test_a_snapshot_of_another_version_is_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its fields may have changed since; the journal has everything."""
    config = write_config(tmp_path)
    before = play_part(config, 5)
    snapshot = max((journal_of(config) / "snapshots").iterdir())
    monkeypatch.setattr("tradingd.daemon.prepare.code_digest", lambda _: "of another version")
    monkeypatch.setattr("tradingd.daemon.recovery.decode_snapshot", lambda _: pytest.fail(f"read {snapshot}"))
    p = peek(config)
    assert p.recovered.how is Resumption.WARMED
    assert digest_view(p.recovered.state.ledger) == digest_view(before.state.ledger)


def test_a_start_and_a_stop_without_anything_new_change_nothing(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    digests = {state_digest(play_config(config).state) for _ in range(5)}
    assert len(digests) == 1
    assert len(runs_of(config)) == 5
    assert len(bodies_of(journal_of(config), OrderFilled)) > 100
    assert rows_of(journal_of(config)) == ROWS
    assert {state_digest(peek(config).recovered.state)} == digests
