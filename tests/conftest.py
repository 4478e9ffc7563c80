"""Fixtures shared by all tests."""

import os
from pathlib import Path

import built_wheel
import pytest
from hypothesis import settings

# the first call of a kernel compiles it, which no deadline allows for
settings.register_profile("tradingd", deadline=None)
settings.load_profile("tradingd")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The recorded market data, which is not part of the project."""
    folder = Path(os.environ.get("TRADINGD_REALDATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no recorded market data at {folder}; set TRADINGD_REALDATA")
    return folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_wheel.build(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> built_wheel.Installed:
    """The programs from the wheel, for whatever is to run as it does for users."""
    return built_wheel.install(wheel, tmp_path_factory.mktemp("installed"))
