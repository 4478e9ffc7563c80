"""A secret is found by its name, and its value is nowhere but in what `reveal` returns."""

from pathlib import Path

import msgspec
import pytest

from tradingd.secrets import Secret, SecretMissingError

KEY = Secret("VENUE_KEY")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("VENUE_KEY", raising=False)


def test_systemds_credential_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "VENUE_KEY").write_text("from-file\n")
    monkeypatch.setenv("VENUE_KEY", "from-environment")
    assert KEY.reveal() == "from-environment"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert KEY.reveal() == "from-file"


def test_a_missing_secret_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(SecretMissingError, match="no secret VENUE_KEY"):
        KEY.reveal()


def test_only_the_name_is_printed_and_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_KEY", "hunter2")
    assert KEY.reveal() == "hunter2"
    assert "hunter2" not in repr(KEY) + msgspec.json.encode(KEY).decode()


@pytest.mark.parametrize("name", ["", "../etc/passwd", "a b", "a/b"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"secret": name}, Secret)
