"""Re-execution says "identical" of a journal that was not touched, and names the first fact of one that was."""

from pathlib import Path

import pytest
from audited_day import edited, write_day
from small_day import journal_of, play_config

from tradingd.audit.errors import AuditError
from tradingd.audit.replay import Replay, replay
from tradingd.config.load import digest
from tradingd.core.settings import decode_settings
from tradingd.events import OrderFilled, RunStarted, SnapshotTaken
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify
from tradingd.journal.writer import Journal


def verified(folder: Path) -> Replay:
    with JournalReader.open(folder) as reader:
        return replay(reader, verify=True)


def test_an_untouched_journal_is_identical(day: Path) -> None:
    found = verified(day)
    assert (found.identical, found.difference, found.other_code) == (True, None, [])
    assert found.summary.inputs == found.last_seq
    assert found.summary.counts["OrderFilled"] > 0


def test_without_verify_nothing_is_compared(reader: JournalReader) -> None:
    heard: list[int] = []
    found = replay(reader, verify=False, say=heard.append)
    assert (found.identical, heard[-1]) == (None, reader.last_seq)


def test_a_mutated_fill_is_named(day: Path, tmp_path: Path, reader: JournalReader) -> None:
    fill = next(event for event in reader.events(OrderFilled))
    assert isinstance(fill.body, OrderFilled)
    better = f"replace(payload, '\"last_px\":{fill.body.last_px}', '\"last_px\":{fill.body.last_px + 0.01:.2f}')"
    copy = edited(day, tmp_path / "j", f"UPDATE facts SET payload = {better} WHERE seq = {fill.seq} AND n = {fill.n}")
    assert not verify(copy).ok
    found = verified(copy)
    assert found.identical is False
    assert found.difference is not None
    assert (found.difference.seq, found.difference.n) == (fill.seq, fill.n)
    assert f"{fill.body.last_px + 0.01:.2f}" in found.difference.recorded
    assert f"at {fill.body.last_px:.12g}" in found.difference.derived
    assert found.difference.cause.startswith(f"{fill.seq} ")


def test_a_mutated_strategy_is_not_identical(day: Path, tmp_path: Path) -> None:
    """The recorded text is what is executed, so a text that decides otherwise shows in what was decided."""
    turned = "replace(payload, 'bar.close > bar.open', 'bar.close < bar.open')"
    copy = edited(day, tmp_path / "j", f"UPDATE facts SET payload = {turned} WHERE type = 'RunStarted'")
    found = verified(copy)
    assert (found.identical, len(found.other_code)) == (False, 1)
    assert found.difference is not None
    assert "own wants" in found.difference.recorded
    assert not verify(copy).ok


def test_a_mutated_config_is_not_identical(day: Path, tmp_path: Path) -> None:
    slower = "replace(payload, '\"fast\":5', '\"fast\":6')"
    copy = edited(day, tmp_path / "j", f"UPDATE facts SET payload = {slower} WHERE type = 'RunStarted'")
    found = verified(copy)
    assert found.identical is False
    assert found.difference is not None
    assert (found.difference.seq, found.difference.n) == (1, 0)
    assert "digest" in found.difference.recorded


def test_a_mutated_config_with_a_forged_digest_shows_in_the_decisions(
    day: Path, tmp_path: Path, reader: JournalReader
) -> None:
    (run,) = (event.body for event in reader.events(RunStarted))
    assert isinstance(run, RunStarted)
    config = bytes(run.config).replace(b'"fast":5', b'"fast":6')
    forged = digest(decode_settings(config))
    both = f"replace(replace(payload, '\"fast\":5', '\"fast\":6'), '{run.config_digest}', '{forged}')"
    copy = edited(day, tmp_path / "j", f"UPDATE facts SET payload = {both} WHERE type = 'RunStarted'")
    found = verified(copy)
    assert found.difference is not None
    assert found.difference.seq > 1


def test_a_removed_fact_is_named(day: Path, tmp_path: Path, reader: JournalReader) -> None:
    fill = next(event for event in reader.events(OrderFilled))
    copy = edited(day, tmp_path / "j", f"DELETE FROM facts WHERE seq = {fill.seq} AND n = {fill.n}")
    found = verified(copy)
    assert found.difference is not None
    assert (found.difference.seq, found.difference.n) == (fill.seq, fill.n)
    assert found.difference.recorded == "nothing"


def test_a_mutated_bar_is_named(day: Path, tmp_path: Path) -> None:
    copy = edited(day, tmp_path / "j", "UPDATE bars SET high = high + 1 WHERE seq = (SELECT max(seq) FROM bars)")
    found = verified(copy)
    assert found.difference is not None
    assert found.difference.recorded.startswith("Bar: ")
    assert found.difference.recorded != found.difference.derived


def test_inputs_that_can_not_be_executed_are_a_difference(day: Path, tmp_path: Path) -> None:
    """Compiled code would read what lies behind its arrays."""
    copy = edited(day, tmp_path / "j", "UPDATE ticks SET instrument = 77 WHERE seq = 500")
    found = verified(copy)
    assert found.difference is not None
    assert "an instrument that the journal does not have" in found.difference.derived


def test_other_code_is_said_and_still_executed(day: Path, tmp_path: Path, reader: JournalReader) -> None:
    (run,) = (event.body for event in reader.events(RunStarted))
    assert isinstance(run, RunStarted)
    other = f"replace(replace(payload, '{run.code_digest}', '{'0' * 32}'), '\"numba\":\"0.', '\"numba\":\"9.')"
    found = verified(edited(day, tmp_path / "j", f"UPDATE facts SET payload = {other} WHERE type = 'RunStarted'"))
    assert found.identical is True
    (said,) = found.other_code
    assert (said.seq, said.recorded, said.today) == (1, "0" * 32, run.code_digest)
    assert list(said.libraries) == ["numba"]


def test_a_journal_of_two_configs_is_identical(tmp_path: Path) -> None:
    config = write_day(tmp_path)
    play_config(config, "feeds.market.duration_s=200")
    play_config(config, "strategies.cross.params.fast=6")
    with JournalReader.open(journal_of(config)) as reader:
        found = replay(reader, verify=True)
        assert found.identical is True, found.difference
        assert found.summary.counts["RunStarted"] == 2


@pytest.fixture
def two_runs(tmp_path: Path) -> Path:
    """With a snapshot in between."""
    config = write_day(tmp_path)
    play_config(config, "feeds.market.duration_s=200")
    play_config(config)
    return journal_of(config)


def test_from_a_snapshot_on_it_is_identical_too(two_runs: Path) -> None:
    with JournalReader.open(two_runs) as reader:
        at_seq = min(event.body.at_seq for event in reader.events(SnapshotTaken))  # type: ignore[union-attr]
        whole, rest = replay(reader, verify=True), replay(reader, verify=True, after=at_seq + 5)
    assert (whole.identical, whole.from_seq) == (True, 1)
    assert (rest.identical, rest.from_seq) == (True, at_seq + 1)
    assert rest.state_digest == whole.state_digest
    assert rest.summary.inputs == whole.last_seq - at_seq


def test_what_was_before_a_snapshot_is_believed(two_runs: Path, tmp_path: Path) -> None:
    copy = edited(two_runs, tmp_path / "j", "UPDATE bars SET volume = volume + 1 WHERE seq < 500")
    with JournalReader.open(copy) as reader:
        assert replay(reader, verify=True).identical is False
        assert replay(reader, verify=True, after=reader.last_seq).identical is True


def test_without_a_snapshot_there_is_nothing_to_go_on_from(two_runs: Path) -> None:
    with JournalReader.open(two_runs) as reader, pytest.raises(AuditError, match="no snapshot at or before seq 10"):
        replay(reader, verify=True, after=10)


def test_an_empty_journal_is_said_to_be_empty(tmp_path: Path) -> None:
    Journal.open(tmp_path / "empty").close()
    with JournalReader.open(tmp_path / "empty") as reader, pytest.raises(AuditError, match="the journal is empty"):
        replay(reader, verify=True)


def test_a_config_that_can_not_be_read_is_one_line(day: Path, tmp_path: Path) -> None:
    bent = "replace(payload, '\"sma_cross\"', '17')"
    copy = edited(day, tmp_path / "j", f"UPDATE facts SET payload = {bent} WHERE type = 'RunStarted'")
    with JournalReader.open(copy) as reader, pytest.raises(AuditError, match=r"seq 1 can not be read .*`trade verify`"):
        replay(reader, verify=True)
