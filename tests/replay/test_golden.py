"""Journals of every format that was ever written are read, proved and gone on with, for ever.

They are made by `make_golden.py`, once for each format, and never again.
"""

import json
import tarfile
from pathlib import Path

import pytest
from golden_journal import contents_of
from small_day import bodies_of, journal_of, play_config, rows_of

from tradingd.audit.replay import replay
from tradingd.events import Anomaly, OrderFilled, OrderRequested, Resumption, RunStarted
from tradingd.journal.folder import FORMAT
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify

GOLDEN = Path(__file__).with_name("golden")
FORMATS = sorted(int(path.stem) for path in GOLDEN.glob("*.json"))


@pytest.fixture(params=FORMATS)
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A golden journal's config, the journal beside it."""
    with tarfile.open(GOLDEN / f"{request.param}.tar.xz") as tar:
        tar.extractall(tmp_path, filter="data")
    return tmp_path / "small.toml"


@pytest.fixture
def expected(request: pytest.FixtureRequest, config: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((GOLDEN / f"{request.node.callspec.params['config']}.json").read_text())
    return found


def test_every_format_has_its_golden_journal() -> None:
    assert list(range(1, FORMAT + 1)) == FORMATS


def test_it_verifies_and_holds_what_it_held(config: Path, expected: dict[str, object]) -> None:
    assert contents_of(journal_of(config)) == expected


def test_it_is_executed_again_as_today_s_code_would(config: Path) -> None:
    """Identical, or written by other code, which is said: never an error, never taken for tampering."""
    with JournalReader.open(journal_of(config)) as reader:
        found = replay(reader, verify=True)
    assert found.identical or found.other_code
    assert found.difference is None or found.difference.n > 0  # inputs are as they were
    assert found.summary.counts["Tick"] > 0


@pytest.mark.parametrize(
    ("overrides", "how"),
    [((), tuple(Resumption)[1:]), (("strategies.cross.params.fast=6",), (Resumption.WARMED,))],
    ids=["as it was", "with other settings"],
)
def test_a_daemon_goes_on_with_its_open_positions_and_resting_orders(
    config: Path, expected: dict[str, object], overrides: tuple[str, ...], how: tuple[Resumption, ...]
) -> None:
    rows = rows_of(journal_of(config))
    play_config(config, *overrides)
    # the rest of the day has come in, from where it stood
    assert rows_of(journal_of(config)) == 4000 > rows
    assert verify(journal_of(config)).ok
    runs = [body for body in bodies_of(journal_of(config), RunStarted) if isinstance(body, RunStarted)]
    assert runs[0].resumed is Resumption.FRESH
    assert runs[1].resumed in how
    # nothing was asked for twice, and what rested was filled or taken back by its own name
    requests = [body.cl_ord_id for body in bodies_of(journal_of(config), OrderRequested)]  # type: ignore[attr-defined]
    assert len(requests) == len(set(requests))
    fills = [body.trade_id for body in bodies_of(journal_of(config), OrderFilled)]  # type: ignore[attr-defined]
    assert len(fills) == len(set(fills))
    assert bodies_of(journal_of(config), Anomaly) == []
    resting = expected["resting"]
    assert isinstance(resting, list)
    assert set(resting) <= set(requests)
