"""--set: which paths and values it takes, and what it says of others."""

from typing import Any

import pytest

from tradingd.config.overrides import apply_overrides, parse_value, split_path
from tradingd.config.problems import ConfigError


def raw() -> dict[str, Any]:
    return {
        "name": "x",
        "risk": {"max_notional": 1.0},
        "strategies": [{"name": "fast", "params": {"n": 1}}, {"name": "slow"}],
        "instruments": [{"id": "NYSE:BRK.B", "tick_size": 0.01}],
    }


def changed(*overrides: str) -> dict[str, Any]:
    config = raw()
    apply_overrides(config, overrides)
    return config


def refusal(*overrides: str) -> str:
    with pytest.raises(ConfigError) as raised:
        changed(*overrides)
    return str(raised.value)


def test_a_value_is_set() -> None:
    assert changed("risk.max_notional=5")["risk"] == {"max_notional": 5}


@pytest.mark.parametrize("item", ["strategies.fast", "strategies.0", "strategies[0]", 'strategies."fast"'])
def test_an_item_of_a_list_goes_by_name_or_index(item: str) -> None:
    assert changed(f"{item}.params.n=20")["strategies"][0] == {"name": "fast", "params": {"n": 20}}


def test_a_key_with_a_dot_is_quoted() -> None:
    assert changed('instruments."NYSE:BRK.B".tick_size=0.05')["instruments"][0]["tick_size"] == 0.05


def test_a_table_that_is_missing_is_made() -> None:
    assert changed("strategies.slow.params.n=3")["strategies"][1]["params"] == {"n": 3}
    assert changed("combine.quorum=2")["combine"] == {"quorum": 2}


def test_an_item_can_be_replaced() -> None:
    assert changed('strategies[1]={name="other"}')["strategies"][1] == {"name": "other"}


def test_later_overrides_win() -> None:
    assert changed('name="a"', 'name="b"')["name"] == "b"


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("1.5", 1.5), ("true", True), ('"a=b"', "a=b"), ('["1m", "5m"]', ["1m", "5m"]), ("{ a = 1 }", {"a": 1})],
)
def test_values_are_written_as_in_toml(text: str, value: object) -> None:
    assert parse_value(text) == value


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("name", "expected path=value"),
        ("name=x", "'x' is no TOML value; a string needs quotes"),
        ("name=", "'' is no TOML value"),
        ("a..b=1", '"a..b" is no path'),
        (".a=1", '".a" is no path'),
        ("a.=1", '"a." is no path'),
        ("=1", '"" is no path'),
        ("a[x]=1", '"a[x]" is no path'),
        ("strategies.fats.weight=1", 'no item "fats" in a list of 2, did you mean "fast"?'),
        ("strategies.2.weight=1", 'no item "2" in a list of 2 (known: fast, slow)'),
        ("name.x=1", '"name" is a value, not a table'),
        ("name=1\nrisk=2", "is more than one TOML value"),
    ],
)
def test_what_can_not_be_applied_is_said(override: str, said: str) -> None:
    assert said in refusal(override)


def test_all_that_can_not_be_applied_is_said_at_once() -> None:
    assert len(refusal("name", "a..b=1", "risk.max_notional=2").splitlines()) == 2


def test_a_path_is_split_at_dots_and_brackets() -> None:
    assert split_path('a.b[2].c."d.e"') == ["a", "b", "2", "c", "d.e"]
