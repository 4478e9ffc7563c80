"""DuckDB as the journal uses it."""

import duckdb
import pytest

from tradingd.journal.database import frame_of


def test_what_fails_while_rows_are_handed_over_is_duckdbs_error() -> None:
    """As a bad block is that DuckDB reads only then; Polars has an error of its own for it."""
    with duckdb.connect() as connection, pytest.raises(duckdb.Error):
        frame_of(connection, "SELECT CASE WHEN range = 150000 THEN error('bad') ELSE range END FROM range(200000)")
