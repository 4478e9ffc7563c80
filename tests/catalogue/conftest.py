"""A catalogue in an empty folder, and files brought into it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradingd.catalogue.importing import Imported, import_files
from tradingd.catalogue.plan import Asked
from tradingd.catalogue.store import Catalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "data")


@pytest.fixture
def bring(catalogue: Catalogue) -> Callable[..., Imported]:
    def bring(
        *files: Path, instrument: str = "US:X", replace: bool = False, strict: bool = False, **asked: Any
    ) -> Imported:
        return import_files(catalogue, files, instrument, Asked(**asked), replace=replace, strict=strict)

    return bring


@pytest.fixture
def csv(tmp_path: Path) -> Callable[..., Path]:
    """A file of bars: a header and lines."""

    def csv(*lines: str, header: str = "ts,open,high,low,close,volume", name: str = "bars.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return path

    return csv
