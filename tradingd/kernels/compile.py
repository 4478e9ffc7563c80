"""The one way kernels are compiled: no fastmath, IEEE division, cached on disk under a digest of all their sources.

numba keys its cache by the file of a function alone, so an edited callee would leave the cached caller running old
code; a folder named by the digest of every kernel and strategy source rules that out.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numba

F = TypeVar("F", bound=Callable[..., object])

PACKAGE = Path(__file__).resolve().parent.parent


class CacheUnwritableError(Exception):
    """The folder for compiled kernels can not be written; the message says which and what to do."""


def source_digest() -> str:
    """Digest of every source whose machine code may be in the cache, and of the compiler."""
    digest = hashlib.blake2b(f"numba {numba.__version__}".encode(), digest_size=8)
    for folder in ("kernels", "strategies"):
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    digest.update((PACKAGE / "columns.py").read_bytes())
    return digest.hexdigest()


def cache_root() -> Path:
    """`$TRADINGD_CACHE_DIR`, else `$XDG_CACHE_HOME/tradingd`, else `~/.cache/tradingd`."""
    if chosen := os.environ.get("TRADINGD_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tradingd"


def prepare_cache() -> Path:
    """Makes the cache folder and points numba at it. Raises CacheUnwritableError."""
    folder = cache_root() / "numba" / source_digest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CacheUnwritableError(
            f"can not write compiled kernels to {folder} ({error.strerror}); set TRADINGD_CACHE_DIR to a folder you own"
        ) from error
    numba.config.CACHE_DIR = str(folder)
    return folder


CACHE_DIR = prepare_cache()


def kernel(function: F) -> F:
    """`numba.njit` as everything here uses it. Division by zero gives inf or NaN, as in NumPy; the GIL is released."""
    compiled: F = numba.njit(cache=True, error_model="numpy", nogil=True)(function)
    return compiled
