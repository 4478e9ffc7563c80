"""The one way kernels are compiled: no fastmath, IEEE division, cached on disk under a digest of all their sources.

numba keys its cache by the file of a function alone, so an edited callee would leave the cached caller running old
code; a folder named by the digest of every kernel and strategy source rules that out. Two more things would let code
for one record type run on another, beyond its end, where processes share a cache: `name_types_by_content` and
`save_one_at_a_time` rule them out. What is in the cache is there before the compiler is: `load_without_compiler`.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable
from functools import partial, wraps
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import caching

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


def name_types_by_content() -> None:
    """numba puts a number into the symbols of functions of records that each process counts for itself, so that symbols
    of two processes may be equal and their types are not; whoever loads both from the cache may link the wrong one."""
    numba.types.Record.mangling_args = property(_mangling_args)
    numba.types.NestedArray.mangling_args = property(_mangling_args)


def _mangling_args(kind: Any) -> tuple[str, tuple[int]]:
    """The name of a record says all of its fields, their types, shapes and offsets."""
    digest = hashlib.blake2b(str(kind.name).encode(), digest_size=8).digest()
    return type(kind).__name__, (int.from_bytes(digest) >> 1,)


def save_one_at_a_time(folder: Path) -> None:
    """Two processes that save at once would give two overloads of a function the same file."""
    file = caching.IndexDataCacheFile
    file.save, file.load = _locked(file.save, folder), _locked(file.load, folder)


def _locked(method: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    @wraps(method)
    def locked(*args: Any) -> Any:
        with (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return method(*args)

    return locked


def load_without_compiler() -> None:
    """numba makes all of its compiler ready, a hundred modules, before it looks into the cache. What it finds there
    needs the run time and the seeds of hashes alone, and compiling makes the compiler ready in any case. A numba that
    has them elsewhere does as it always did."""
    try:
        from numba.core.runtime import rtsys

        import_module("numba.cpython.hashing")  # it tells the linker where the seeds are
    except ImportError:
        return
    load = caching.Cache.load_overload

    @wraps(load)
    def load_overload(cache: Any, signature: Any, context: Any) -> Any:
        context.refresh = partial(rtsys.initialize, context)  # numba holds its lock meanwhile
        try:
            return load(cache, signature, context)
        finally:
            vars(context).pop("refresh", None)

    caching.Cache.load_overload = load_overload


CACHE_DIR = prepare_cache()
name_types_by_content()
save_one_at_a_time(CACHE_DIR)
load_without_compiler()


def kernel(function: F) -> F:
    """`numba.njit` as everything here uses it. Division by zero gives inf or NaN, as in NumPy; the GIL is released."""
    compiled: F = numba.njit(cache=True, error_model="numpy", nogil=True)(function)
    return compiled


def lean_kernel(function: F) -> F:
    """A kernel that makes no arrays, so that nobody has to count who holds those that it is given: they are its
    caller's. Counting costs two locked instructions for each array of each call, and the scan makes many."""
    compiled: F = numba.njit(cache=True, error_model="numpy", nogil=True, _nrt=False)(function)
    return compiled


def inlined(function: F) -> F:
    """A kernel of which every kernel that calls it has a copy of its own, however large it is."""
    compiled: F = numba.njit(cache=True, error_model="numpy", nogil=True, forceinline=True)(function)
    return compiled


def constants(count: int) -> Any:
    """0, 1, 2 and so on as numbers of a type: numba compiles a kernel anew for each literal that it is called with."""
    return np.arange(count)
