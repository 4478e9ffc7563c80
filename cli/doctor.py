"""trade doctor: whether this host is fit to run the daemon, and what to do where it is not."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from . import frame
from .options import AsJson
from .output import Mood, answer, styled

LIBRARIES = ("tradingd", "cryptography", "duckdb", "httpx", "msgspec", "numba", "numpy", "polars", "rich", "typer")
FREE_MB_MIN, FREE_MB_GOOD = 500, 10_000
FILES_GOOD = 256  # descriptors that the daemon may need with many feeds and segments
SYNC_ROUNDS, SYNC_MS_GOOD = 20, 10.0
MOODS = {"ok": Mood.GOOD, "warn": Mood.DOUBTFUL, "fail": Mood.BAD}


class Finding(NamedTuple):
    """`text` is what was found; where that is not well, it ends with what to do."""

    name: str
    verdict: Literal["ok", "warn", "fail"]
    text: str


def doctor(
    journal: Annotated[
        Path | None, typer.Option("--journal", "-j", metavar="FOLDER", help="Also look at this journal and its disk.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at this host: versions, cache, disk, clock, limits. The answer is no (1) where something fails.

    Example: trade doctor -j journal/demo
    """
    findings = list(_findings(journal))
    failed = any(finding.verdict == "fail" for finding in findings)
    result = {"ok": not failed, "findings": [finding._asdict() for finding in findings]}
    lines = [f"{styled(f'{f.verdict:<4}', MOODS[f.verdict])} {f.name:<11} {f.text}" for f in findings]
    answer(result, lines, as_json)
    if failed:
        raise typer.Exit(frame.NO)


def _findings(journal: Path | None) -> Iterator[Finding]:
    folder = _existing(journal or Path())
    yield _python()
    yield from _libraries()
    yield _cache()
    yield _zones()
    yield _clock()
    yield _descriptors()
    yield _recordings()
    if journal:
        yield _journal(journal)
    yield _space(folder)
    yield _sync(folder)


def _python() -> Finding:
    verdict: Literal["ok", "fail"] = "ok" if sys.version_info >= (3, 11) else "fail"
    return Finding("python", verdict, f"{platform.python_version()} on {platform.machine()} {platform.system()}")


def _libraries() -> Iterator[Finding]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(name, "fail", "is not installed; install again: pip install tradingd")
    yield Finding("libraries", "ok", ", ".join(f"{name} {version}" for name, version in found.items()))


def _cache() -> Finding:
    try:
        from tradingd.kernels.compile import CACHE_DIR
    except Exception as error:
        if frame.exit_code(error) is None:
            raise
        return Finding("cache", "fail", str(error))
    compiled = sum(1 for _ in CACHE_DIR.glob("**/*.nbc"))
    return Finding("cache", "ok", f"{CACHE_DIR} ({compiled or 'no'} compiled kernels)")


def _zones() -> Finding:
    try:
        ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:
        return Finding("time zones", "fail", "this host has no zone data; pip install 'tradingd[zones]'")
    return Finding("time zones", "ok", "found")


def _clock() -> Finding:
    """The operating system knows whether it is synchronised; asking the network is not ours to do."""
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    if said == "yes":
        return Finding("clock", "ok", f"{now}, synchronised")
    if said == "no":
        return Finding("clock", "warn", f"{now}, not synchronised; start chrony or systemd-timesyncd")
    return Finding("clock", "ok", f"{now} (whether it is synchronised can not be told here)")


def _descriptors() -> Finding:
    try:
        import resource
    except ImportError:
        return Finding("open files", "ok", "no limit that can be told here")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= limit < FILES_GOOD:
        return Finding("open files", "warn", f"at most {limit}; raise it: ulimit -n 4096, LimitNOFILE= under systemd")
    return Finding("open files", "ok", f"at most {limit}")


def _recordings() -> Finding:
    folder = os.environ.get("TRADINGD_REALDATA")
    if not folder:
        return Finding("recordings", "ok", "TRADINGD_REALDATA is not set; only configs of recorded markets need it")
    if not Path(folder).is_dir():
        return Finding("recordings", "fail", f"TRADINGD_REALDATA names {folder}, which is no folder; correct it")
    return Finding("recordings", "ok", folder)


def _journal(folder: Path) -> Finding:
    if not folder.exists():
        return Finding("journal", "ok", f"{folder} is not there yet; the daemon makes it")
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding("journal", "fail", f"{folder} is no folder that this user may write; chown it or choose another")
    size_mb = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    return Finding("journal", "ok", f"{folder}, {size_mb:,.1f} MB; trade verify proves what is in it")


def _space(folder: Path) -> Finding:
    free_mb = shutil.disk_usage(folder).free // 10**6
    text = f"{free_mb:,} MB free at {folder}"
    if free_mb < FREE_MB_MIN:
        return Finding("disk", "fail", f"{text}; make room before starting, {FREE_MB_MIN} MB at least")
    if free_mb < FREE_MB_GOOD:
        return Finding("disk", "warn", f"{text}; a busy day may need more")
    return Finding("disk", "ok", text)


def _sync(folder: Path) -> Finding:
    try:
        import statistics

        median_ms = statistics.median(_sync_ms(folder))
    except OSError as error:
        return Finding("fsync", "fail", f"can not write at {folder}: {error.strerror}; choose a folder you own")
    text = f"{median_ms:.2f} ms for a durable write at {folder}, the median of {SYNC_ROUNDS}"
    if median_ms > SYNC_MS_GOOD:
        return Finding("fsync", "warn", f"{text}; every commit waits for one: use a local SSD")
    return Finding("fsync", "ok", text)


def _sync_ms(folder: Path) -> list[float]:
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNC_ROUNDS):
            file.write(bytes(4096))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - start) * 1000)
    return times


def _existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    folder = folder.absolute()
    return folder if folder.is_dir() else _existing(folder.parent)
