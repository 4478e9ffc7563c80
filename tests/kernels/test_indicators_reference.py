"""Indicators against published results: TA-Lib's on real prices, Stock.Indicators, Lean, StockCharts and Achelis."""

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tradingd.kernels import indicators as ind

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def reference(realdata) -> Path:
    return realdata / "reference"


def column(frame: pl.DataFrame, name: str) -> np.ndarray:
    return frame[name].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def assert_close(ours, theirs, rtol, skip=0):
    """Where they have a number, ours is the same; `skip` leaves out their first results."""
    places = np.flatnonzero(~np.isnan(theirs))[skip:]
    assert len(places) > 0
    np.testing.assert_allclose(ours[places], theirs[places], rtol=rtol, atol=rtol * np.abs(theirs[places]).max())


@pytest.mark.parametrize("name", ["talib_GOOG_daily.csv.gz", "talib_EURUSD_hourly.csv.gz"])
def test_talib_on_real_prices(reference, name):
    frame = pl.read_csv(reference / name, infer_schema_length=None)
    high, low, close = (column(frame, key) for key in ("High", "Low", "Close"))
    assert_close(ind.sma(close, 20), column(frame, "SMA_20"), 1e-9)
    assert_close(ind.ema(close, 20), column(frame, "EMA_20"), 1e-9)
    assert_close(ind.rsi(close, 14), column(frame, "RSI_14"), 1e-9)
    assert_close(ind.atr(high, low, close, 14), column(frame, "ATR_14"), 1e-9)
    for ours, key in zip(ind.macd(close, 12, 26, 9), ("MACD", "MACD_signal", "MACD_hist"), strict=True):
        assert_close(ours, column(frame, key), 1e-9)
    for ours, key in zip(ind.bollinger(close, 20, 2.0), ("BB_upper", "BB_middle", "BB_lower"), strict=True):
        assert_close(ours, column(frame, key), 1e-9)


def test_stock_indicators(reference):
    folder = reference / "stock_indicators"
    with gzip.open(folder / "results.jsonl.gz", "rt") as lines:
        results = {item["file"]: item["result"] for item in map(json.loads, lines)}
    quotes = pl.read_csv(folder / "quotes_default.csv")
    high, low, close = (column(quotes, key) for key in ("high", "low", "close"))

    def theirs(name: str, key: str) -> np.ndarray:
        return np.array([row[key] if row[key] is not None else np.nan for row in results[f"{name}.standard.json"]])

    assert_close(ind.sma(close, 20), theirs("sma", "sma"), 1e-9)
    assert_close(ind.ema(close, 20), theirs("ema", "ema"), 1e-9)
    assert_close(ind.rsi(close, 14), theirs("rsi", "rsi"), 1e-9)
    assert_close(ind.atr(high, low, close, 14), theirs("atr", "atr"), 1e-9)
    upper, middle, lower = ind.bollinger(close, 20, 2.0)
    assert_close(upper, theirs("bb", "upperBand"), 1e-9)
    assert_close(middle, theirs("bb", "sma"), 1e-9)
    assert_close(lower, theirs("bb", "lowerBand"), 1e-9)
    # They seed the fast average of MACD fourteen bars earlier than TA-Lib does, which fades.
    assert_close(ind.macd(close, 12, 26, 9)[0], theirs("macd", "macd"), 1e-6, skip=150)


def test_lean(reference):
    bands = pl.read_csv(reference / "lean" / "spy_bollinger_bands.txt", infer_schema_length=None)
    upper, middle, lower = ind.bollinger(column(bands, "Close"), 20, 2.0)
    assert_close(upper, column(bands, "Bollinger Bands® 20 2 Top"), 1e-4)
    assert_close(middle, column(bands, "Moving Average 20"), 1e-4)
    assert_close(lower, column(bands, "Bollinger Bands® 20 2 Bottom"), 1e-4)
    ranges = pl.read_csv(reference / "lean" / "spy_atr_wilder.txt", infer_schema_length=None)
    average = ind.atr(column(ranges, "High"), column(ranges, "Low"), column(ranges, "Close"), 14)
    assert_close(average, column(ranges, "Average True Range 14"), 1e-3, skip=60)  # they count the first bar's range


def test_stockcharts(reference):
    with gzip.open(reference / "stockcharts_vectors.jsonl.gz", "rt") as lines:
        payloads = {item["file"]: item["payload_text"] for item in map(json.loads, lines)}
    bands = pl.read_csv(io.StringIO(payloads["cs-bbands.csv"]), infer_schema_length=None)
    upper, middle, lower = ind.bollinger(column(bands, "Close"), 20, 2.0)
    assert_close(upper, column(bands, "HighBand"), 1e-4)
    assert_close(middle, column(bands, "MiddleBand"), 1e-5)
    assert_close(lower, column(bands, "LowBand"), 1e-4)


def test_achelis_by_tulip(reference):
    vectors = tulip(reference / "tulip_atoz.txt")
    (close,), (expected,) = vectors["sma 5"]
    np.testing.assert_allclose(ind.sma(close, 5)[-len(expected) :], expected, atol=1e-3)
    (close,), (expected,) = vectors["rsi 5"]
    np.testing.assert_allclose(ind.rsi(close, 5)[-len(expected) :], expected, atol=1e-3)
    (close,), (lower, middle, upper) = vectors["bbands 5 2"]
    ours = np.array(ind.bollinger(close, 5, 2.0))[:, -len(lower) :]
    np.testing.assert_allclose(ours, [upper, middle, lower], atol=1e-3)


def tulip(path: Path) -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    """Inputs and outputs by name; outputs are the shorter arrays."""
    vectors: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    for block in path.read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if len(lines) > 1:
            numbers = [np.array([float(x) for x in next(csv.reader([line.strip("{}")]))]) for line in lines[1:]]
            longest = max(map(len, numbers))
            vectors[lines[0]] = [a for a in numbers if len(a) == longest], [a for a in numbers if len(a) < longest]
    return vectors
