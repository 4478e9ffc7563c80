"""The same inputs under other settings, beside the same under those recorded."""

from pathlib import Path

import pytest
from audited_day import write_day
from small_day import journal_of, play_config

from tradingd.audit.errors import AuditError
from tradingd.audit.replay import replay
from tradingd.audit.what_if import from_config, from_recorded, what_if
from tradingd.config.problems import ConfigError
from tradingd.journal.reader import JournalReader
from tradingd.strategies.contract import StrategyError


def test_the_same_settings_decide_the_same(reader: JournalReader) -> None:
    found = what_if(reader, from_recorded(reader, []))
    assert (found.differing, found.first) == (0, [])
    assert found.baseline == found.what_if == replay(reader, verify=False).summary


def test_other_settings_differ_at_a_seq(reader: JournalReader) -> None:
    found = what_if(reader, from_recorded(reader, ["strategies.cross.params.fast=8"]), first=3)
    assert found.differing > 3
    assert len(found.first) == 3
    assert [each.seq for each in found.first] == sorted(each.seq for each in found.first)
    assert all(each.baseline != each.what_if for each in found.first)
    assert found.baseline.accounts != found.what_if.accounts


def test_a_limit_that_is_lifted_refuses_no_more(reader: JournalReader) -> None:
    found = what_if(reader, from_recorded(reader, ["risk.max_notional=1e9"]))
    assert list(found.baseline.refused) == ["max_notional"]
    assert found.what_if.refused == {}
    assert found.what_if.counts["OrderFilled"] > found.baseline.counts["OrderFilled"]


def test_a_config_file_may_trade_fewer_instruments(tmp_path: Path, reader: JournalReader) -> None:
    config = write_day(tmp_path)
    text = config.read_text().replace('instruments = ["SIM:ALFA", "SIM:BETA"]', 'instruments = ["SIM:BETA"]')
    config.write_text(text)
    found = what_if(reader, from_config(reader, config, ['strategies.own.instruments=["SIM:BETA"]']))
    assert list(found.what_if.traded) == ["SIM:BETA"]


def test_a_start_with_other_settings_does_not_bring_them_in(tmp_path: Path) -> None:
    config = write_day(tmp_path)
    play_config(config, "feeds.market.duration_s=200")
    play_config(config, "strategies.cross.params.fast=6")
    with JournalReader.open(journal_of(config)) as reader:
        found = what_if(reader, from_recorded(reader, ["strategies.cross.allocation=0.01"]))
    assert found.what_if.counts["RunStarted"] == 2
    assert found.what_if.counts["OrderFilled"] < found.baseline.counts["OrderFilled"]


def test_what_the_journal_does_not_have_is_refused(tmp_path: Path, reader: JournalReader) -> None:
    config = write_day(tmp_path)
    config.write_text(config.read_text().replace("SIM:BETA", "SIM:OTHER"))
    with pytest.raises(AuditError, match="no ticks of SIM:OTHER; its instruments are SIM:ALFA, SIM:BETA"):
        from_config(reader, config, [])
    with pytest.raises(AuditError, match="no account for SIM:ALFA, SIM:BETA"):
        from_recorded(reader, ['accounts=[{ currency = "EUR", balance = "1" }]'])


@pytest.mark.parametrize(
    ("override", "error", "said"),
    [
        ("strategies.cross.params.fst=8", StrategyError, "no parameter 'fst'"),
        ("risk.max_notionl=8", ConfigError, "unknown key"),
        ("strategies.crss.weight=8", ConfigError, "did you mean"),
    ],
)
def test_wrong_overrides_are_said(override: str, error: type[Exception], said: str, reader: JournalReader) -> None:
    with pytest.raises(error, match=said):
        what_if(reader, from_recorded(reader, [override]))
