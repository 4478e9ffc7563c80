"""tradingd as a user has it: built as a wheel, installed into an environment that knows nothing of the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Installed(NamedTuple):
    """`bin` holds the programs; `cache` is where they keep compiled code, empty at first as on a new host."""

    bin: Path
    cache: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return kept | {"TRADINGD_CACHE_DIR": str(self.cache)}

    def run(self, program: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = (self.bin / program, *arguments)
        return subprocess.run(command, cwd=cwd, env=self.environment, capture_output=True, text=True, check=False)

    def begin(self, program: str, *arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
        """The same in the background."""
        command = (self.bin / program, *arguments)
        piped = subprocess.PIPE
        return subprocess.Popen(command, cwd=cwd, env=self.environment, stdout=piped, stderr=piped, text=True)


def build(source: Path) -> Path:
    """The wheel, built from a copy: setuptools leaves its work, and would take it up again, where it builds."""
    for folder in ("tradingd", "cli", "configs"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", source / "dist", source)
    (wheel,) = (source / "dist").glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Installed:
    """What the wheel depends on comes from this environment, whose own way to the checkout is not followed."""
    venv.create(folder / "venv", symlinks=True)
    bin_folder = folder / "venv" / "bin"
    pip("--python", bin_folder / "python", "install", "--no-deps", "--no-index", wheel)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return Installed(bin_folder, folder / "cache")


def pip(*arguments: str | Path) -> None:
    command = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
