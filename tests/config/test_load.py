"""From a file to a resolved config: what must hold between its parts, paths, digests."""

import copy
from pathlib import Path
from typing import Any

import pytest

from tradingd.config.load import core_settings, digest, load, resolve
from tradingd.config.problems import ConfigError

INSTRUMENT = {"id": "SIM:AAA", "asset_class": "equity", "tick_size": 0.01, "lot_size": 1, "currency": "USD"}
RAW: dict[str, Any] = {
    "name": "test",
    "instruments": [INSTRUMENT],
    "accounts": [{"currency": "USD", "balance": "1000"}],
    "feeds": [
        {
            "kind": "simulated",
            "name": "market",
            "seed": 1,
            "start": "2025-03-03T14:30:00Z",
            "duration_s": 60,
            "instruments": [{"instrument": "SIM:AAA", "price": 100}],
        }
    ],
    "strategies": [{"name": "cross", "kind": "sma_cross", "instruments": ["SIM:AAA"], "timeframe": "1m"}],
}


def problems(tmp_path: Path, **changes: Any) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        resolve(copy.deepcopy(RAW) | changes, tmp_path)
    return str(raised.value).splitlines()


USD = {"currency": "USD", "balance": "1000"}
EUR = {"currency": "EUR", "balance": "0"}


def strategy(**changes: Any) -> list[dict[str, Any]]:
    return [RAW["strategies"][0] | changes]


def file_feed(**file: Any) -> list[dict[str, Any]]:
    settings = {"path": "ticks.csv", "ts_unit": "ms", "columns": {"ts_event": "ts", "price": "p"}}
    return [{"kind": "file", "name": "ticks", "files": [settings | file]}]


def test_a_config_is_resolved(tmp_path: Path) -> None:
    config = resolve(RAW, tmp_path)
    assert config.journal.folder == str(tmp_path / "journal" / "test")
    assert config.daemon.control_socket == str(tmp_path / "journal" / "test" / "control.sock")


def test_paths_are_relative_to_the_file_whatever_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ticks.csv").write_text("ts,p\n1,2\n")
    monkeypatch.setenv("TICKS", "data")
    raw = RAW | {
        "feeds": file_feed(path="${TICKS}/ticks.csv", instrument="SIM:AAA"),
        "journal": {"folder": "../elsewhere"},
        "daemon": {"control_socket": "/run/x.sock"},
    }
    config = resolve(raw, tmp_path)
    feed = config.feeds[0]
    assert feed.files[0].path == str(tmp_path / "data" / "ticks.csv")  # type: ignore[union-attr]
    assert config.journal.folder == str(tmp_path.parent / "elsewhere")
    assert config.daemon.control_socket == "/run/x.sock"


def test_several_files_in_one_feed_and_several_feeds_at_their_own_pace_are_good(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("ts,p\n1,2\n")
    (feed,) = file_feed(instrument="SIM:AAA")
    both = feed | {"files": [feed["files"][0] | {"path": name} for name in ("a.csv", "b.csv")]}
    paced = [RAW["feeds"][0] | {"name": name, "pace": "recorded"} for name in ("one", "two")]
    assert [len(resolve(RAW | {"feeds": feeds}, tmp_path).feeds) for feeds in ([both], paced, [both, *paced])] == [
        1,
        2,
        3,
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"instruments": [INSTRUMENT, INSTRUMENT]}, 'instruments[1].id: "SIM:AAA" is there 2 times (0, 1)'),
        ({"strategies": strategy() * 2}, 'strategies[1].name: "cross" is there 2 times (0, 1)'),
        (
            {"feeds": [feed | {"pace": "recorded"} for feed in RAW["feeds"] * 2]},
            'feeds[1].name: "market" is there 2 times (0, 1)',
        ),
        (
            {"feeds": [RAW["feeds"][0] | {"name": name} for name in ("one", "two")]},
            (
                'feeds[1].pace: only one feed can have pace "max", these have: one, two; put their files into one '
                'feed, or set pace = "recorded"'
            ),
        ),
        ({"accounts": RAW["accounts"] * 2}, 'accounts[1].currency: "USD" is there 2 times (0, 1)'),
        (
            {"instruments": [INSTRUMENT | {"currency": "EUR"}]},
            "instruments[0].currency: no account in EUR; add one to accounts",
        ),
        (
            {"instruments": [INSTRUMENT | {"session": {"timezone": "New_York"}}]},
            (
                'instruments[0].session.timezone: unknown time zone "New_York"; names are as in "America/New_York", '
                "and a host without zone data needs: pip install 'tradingd[zones]'"
            ),
        ),
        (
            {"instruments": [INSTRUMENT | {"session": {"utc_offsets": [[0, 60]]}}]},
            "instruments[0].session.utc_offsets: is worked out from the time zone; leave it out",
        ),
        (
            {"accounts": [{"currency": "USD", "balance": "1.005", "unit": "0.01"}]},
            "accounts[0].balance: balance 1.005 is finer than the unit 0.01",
        ),
        (
            {"accounts": [{"currency": "USD", "balance": "9223372036855"}]},
            "accounts[0].balance: does not fit into 64 bits in units of 0.000001; take a larger unit",
        ),
        (
            {"strategies": strategy(instruments=["SIM:AAB"])},
            'strategies[0].instruments[0]: no instrument "SIM:AAB", did you mean "SIM:AAA"?',
        ),
        ({"risk": {"restricted": ["X:Y"]}}, 'risk.restricted[0]: no instrument "X:Y" (known: SIM:AAA)'),
        (
            {"combine": {"quorum": 2}},
            "combine.quorum: 2 votes are never reached: at most 1 vote on an instrument",
        ),
        ({"strategies": strategy(timeframe="2m")}, None),
        (
            {"strategies": strategy(params={"fst": 3})},
            'strategies[0].params.fst: unknown key, did you mean "fast"?',
        ),
        (
            {"strategies": strategy(params={"fast": 60})},
            "strategies[0].params: strategy sma_cross: fast=60 has to be below slow=50",
        ),
        (
            {"strategies": strategy(exits=[{"kind": "trailing_atr", "params": {"perod": 3}}])},
            'strategies[0].exits[0].params.perod: unknown key, did you mean "period"?',
        ),
        (
            {"strategies": strategy(kind="trailing_atr")},
            'strategies[0].kind: "trailing_atr" is an exit; it goes into the exits of a strategy',
        ),
        (
            {"strategies": strategy(exits=[{"kind": "coin_flip"}])},
            'strategies[0].exits[0].kind: "coin_flip" is a strategy; exits are fixed_ratio, trailing_atr or your own',
        ),
        (
            {"strategies": strategy(kind="pair_reversion", params={})},
            "strategies[0].instruments: strategy pair_reversion takes 2 instruments at once, and has 1",
        ),
        (
            {"accounts": [USD, EUR | {"conversion": {"into": "USD", "instrument": "FX:EURUSD"}}]},
            'accounts[1].conversion.instrument: no instrument "FX:EURUSD" (known: SIM:AAA)',
        ),
        (
            {"accounts": [USD, EUR | {"conversion": {"into": "GBP", "instrument": "SIM:AAA"}}]},
            "accounts[1].conversion.into: no account in GBP; add one to accounts",
        ),
        (
            {"accounts": [USD, EUR | {"conversion": {"into": "EUR", "instrument": "SIM:AAA"}}]},
            "accounts[1].conversion.into: the account in EUR counts in another one itself; name that one",
        ),
        ({"strategies": strategy(kind="nowhere.py:mine")}, None),
        ({"journal": {"folder": "${NOT_SET_ANYWHERE}/j"}}, None),
    ],
)
def test_what_does_not_fit_together_is_one_line(changes: dict[str, Any], expected: str | None, tmp_path: Path) -> None:
    found = problems(tmp_path, **changes)
    assert len(found) == 1
    if expected is not None:
        assert found == [expected]


def test_a_strategy_that_is_not_there_is_said_with_what_is(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, strategies=strategy(kind="sma_crss"))
    assert line.startswith("strategies[0].kind: ")
    assert "sma_cross" in line


def test_a_file_that_is_missing_is_said_with_its_whole_path(tmp_path: Path) -> None:
    found = problems(tmp_path, feeds=file_feed(instrument="SIM:AAA"))
    assert found == [f"feeds[0].files[0].path: no file {tmp_path / 'ticks.csv'}"]


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    found = problems(tmp_path, feeds=file_feed(path="${NOT_SET_ANYWHERE}/ticks.csv", venue="NYSE"))
    assert found == [
        "feeds[0].files[0].path: the environment has no NOT_SET_ANYWHERE; set it, or write the path itself",
        'feeds[0].files[0].venue: no instrument is of the venue "NYSE"',
    ]


def test_recorded_funding_leaves_no_room_for_a_constant_rate(tmp_path: Path) -> None:
    for name in ("bars.csv", "rates.csv"):
        (tmp_path / name).touch()
    bars = {"path": "bars.csv", "instrument": "SIM:AAA", "timeframe": "1m"}
    rates = {"path": "rates.csv", "instrument": "SIM:AAA"}
    feeds = [{"kind": "bars", "name": "bars", "files": [bars], "funding": [rates]}]
    charged = INSTRUMENT | {"financing": {"funding_rate": 0.0001}}
    resolve(RAW | {"feeds": feeds}, tmp_path)
    found = problems(tmp_path, feeds=feeds, instruments=[charged])
    assert found == [
        "feeds[0].funding[0].instrument: instruments[0].financing.funding_rate charges SIM:AAA already; leave out one"
    ]


def test_day_bars_need_a_timeframe_that_divides_the_session(tmp_path: Path) -> None:
    session = {"timezone": "America/New_York", "open": "09:30", "close": "16:00"}
    changes = {"instruments": [INSTRUMENT | {"session": session}], "strategies": strategy(timeframe="4h")}
    found = problems(tmp_path, **changes, bars={"timeframes": ["1d"]})
    assert found == [
        "instruments[0].session: its 1d bars are made of no timeframe in use (4h); add 1m to bars.timeframes"
    ]
    resolve(RAW | changes | {"bars": {"timeframes": ["1m", "1d"]}}, tmp_path)


def test_a_users_strategy_is_found_from_the_configs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "ideas"
    folder.mkdir()
    (folder / "mine.py").write_text(
        "from tradingd.strategies.contract import compiled\n\n\n"
        "@compiled(params={'size': 1.0})\n"
        "def mine(state, bar, params, out):\n"
        "    out.target = params.size\n"
    )
    monkeypatch.chdir("/")
    resolve(RAW | {"strategies": strategy(kind="ideas/mine.py:mine")}, tmp_path)
    found = problems(tmp_path, strategies=strategy(kind="ideas/mine.py:mine", params={"sise": 1}))
    assert found == ['strategies[0].params.sise: unknown key, did you mean "size"?']


def test_a_users_exit_has_to_be_compiled(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from tradingd.strategies.contract import PythonStrategy\n\n\nclass Slow(PythonStrategy):\n    ...\n"
    )
    found = problems(tmp_path, strategies=strategy(exits=[{"kind": "mine.py:Slow"}]))
    assert found == ["strategies[0].exits[0].kind: an exit has to be compiled; this one is plain Python"]


def test_a_users_exit_takes_one_instrument(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from tradingd.strategies.contract import compiled\n\n\n"
        "@compiled(legs=2)\n"
        "def pair(state, bars, params, outs):\n"
        "    outs.leg[0].target = 0.0\n"
    )
    found = problems(tmp_path, strategies=strategy(exits=[{"kind": "mine.py:pair"}]))
    assert found == ["strategies[0].exits[0].kind: an exit takes one instrument; this is a strategy of several"]


def test_all_problems_come_with_the_files_name(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('name = "x"\nfoo = 1\n')
    with pytest.raises(ConfigError) as raised:
        load(file)
    lines = str(raised.value).splitlines()
    assert lines[0].startswith(f"{file}: foo: unknown key (known: ")
    assert [line.split(": ")[1] for line in lines[1:]] == ["instruments", "accounts", "feeds"]


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such file"), (b"name = ", "not TOML"), (b"\xff\xfe", "not TOML"), (b"a=1\na=2", "not TOML")],
)
def test_a_file_that_can_not_be_read_is_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "x.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        load(file)
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_the_digest_is_of_the_settings_not_of_their_spelling(tmp_path: Path) -> None:
    plain, spelled = resolve(RAW, tmp_path), resolve(RAW | {"combine": {"quorum": 1}}, tmp_path)
    other = resolve(RAW | {"combine": {"min_confidence": 0.5}}, tmp_path)
    assert digest(core_settings(plain)) == digest(core_settings(spelled)) != digest(core_settings(other))


def test_how_the_daemon_runs_is_no_part_of_what_the_core_does(tmp_path: Path) -> None:
    changed = resolve(RAW | {"daemon": {"log_level": "debug"}, "journal": {"roll_wal_mb": 10}}, tmp_path)
    assert core_settings(changed) == core_settings(resolve(RAW, tmp_path))
