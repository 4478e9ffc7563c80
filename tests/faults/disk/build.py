"""Compiles the shim."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
COMPILER = shutil.which("cc")


def build(folder: Path) -> Path:
    shim = folder / "disk.so"
    assert COMPILER is not None, "the disk campaigns need a C compiler (cc)"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", shim, SOURCE, "-ldl"], check=True)
    return shim
