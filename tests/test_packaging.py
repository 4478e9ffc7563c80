"""What is installed: every package and data file, the two programs, and nothing called plain `cli`."""

import tomllib
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from built_wheel import ROOT, Installed

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def packages_on_disk() -> list[str]:
    """Folders with an __init__.py, under the name that they are imported by."""
    found = [init.parent.relative_to(ROOT) for top in ("tradingd", "cli") for init in (ROOT / top).rglob("__init__.py")]
    return sorted(
        ".".join(("tradingd_cli" if folder.parts[0] == "cli" else "tradingd", *folder.parts[1:])) for folder in found
    )


def test_pyproject_names_every_package() -> None:
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == packages_on_disk()


def test_the_wheel_holds_every_module_and_data_file(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    source = wheel.parent.parent
    modules = {
        file.relative_to(source).as_posix() for top in ("tradingd", "cli") for file in (source / top).rglob("*.py")
    }
    assert {("tradingd_" + name if name.startswith("cli/") else name) for name in modules} <= names
    assert {"tradingd/py.typed", "tradingd/config/demo.toml"} <= names


def test_no_package_is_called_plain_cli(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tradingd", "tradingd_cli"}


def test_constraints_name_everything_that_pyproject_asks_for() -> None:
    extras = PROJECT["project"]["optional-dependencies"].values()
    asked = PROJECT["project"]["dependencies"] + [line for extra in extras for line in extra]
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert {line.partition(">=")[0].lower() for line in asked} <= pinned


@pytest.mark.parametrize("program", ["tradingd", "trade"])
def test_a_program_runs_outside_of_the_checkout(program: str, installed: Installed, tmp_path: Path) -> None:
    done = installed.run(program, "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"tradingd {PROJECT['project']['version']}\n")


def test_nothing_is_imported_from_the_checkout(installed: Installed, tmp_path: Path) -> None:
    code = "import tradingd, tradingd_cli, sys; print(tradingd.__file__, tradingd_cli.__file__, *sys.path, sep='\\n')"
    ours, cli, *path = installed.run("python", "-c", code, cwd=tmp_path).stdout.splitlines()
    venv = installed.bin.parent
    assert (Path(ours).is_relative_to(venv), Path(cli).is_relative_to(venv)) == (True, True)
    assert str(ROOT) not in path


def test_a_newcomers_first_day_runs_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    """With an empty cache for compiled code, as on a new host."""

    def program(name: str, *arguments: str) -> dict[str, Any]:
        done = installed.run(name, *arguments, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return msgspec.json.decode(done.stdout, type=dict[str, Any])

    assert program("trade", "config", "init", "mine.toml") == {"config": "mine.toml"}
    assert program("trade", "config", "check", "mine.toml")["ok"]
    faster = ("--set", 'feeds.market.pace="max"', "--set", "feeds.market.duration_s=7200")
    status = program("tradingd", "start", "-c", "mine.toml", "--until-done", *faster)
    assert status["journal"] == str(tmp_path / "journal" / "mine")
    assert status["counts"]["OrderFilled"] > 0
