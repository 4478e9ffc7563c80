"""Runs of a fraction of a second have housekeeping too."""

import pytest

from tradingd.daemon import daemon


@pytest.fixture(autouse=True)
def quick_housekeeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "HOUSEKEEPING_S", 0.02)
