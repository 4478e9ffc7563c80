"""What all commands have in common: help with an example, --json, one line for an error, and an exit code."""

import importlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer
from tradingd_cli import frame, trade, tradingd

HEAVY = ("numba", "duckdb", "polars", "numpy", "msgspec", "rich", "pyarrow", "cryptography", "httpx")


def commands(app: typer.Typer, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for command in app.registered_commands:
        assert command.callback is not None
        yield (*words, command.name or command.callback.__name__.replace("_", "-"))
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance, (*words, str(group.name)))


ALL = [*commands(trade.app, ("trade",)), *commands(tradingd.app, ("tradingd",))]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_an_example_and_speaks_json(words: tuple[str, ...], run: Callable[..., Any]) -> None:
    ran = run(*words, "--help")
    assert ran.code == 0
    assert f"Example: {' '.join(words)}" in ran.out
    assert "--json" in ran.out


@pytest.mark.parametrize("program", ["trade", "tradingd"])
def test_help_and_version_are_there(program: str, run: Callable[..., Any]) -> None:
    assert "Exit codes: 0 done" in run(program, "-h").out
    assert re.fullmatch(r"tradingd \d+\.\d+\.\d+\n", run(program, "--version").out)


@pytest.mark.parametrize("wrong", [["nonsense"], ["--nonsense"], ["doctor", "--nonsense"]])
def test_wrong_usage_is_2_and_said_on_stderr(wrong: list[str], run: Callable[..., Any]) -> None:
    ran = run("trade", *wrong)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: No such" in ran.err


def raising(error: Exception) -> typer.Typer:
    app = frame.application("x", "Raises.")

    @app.command()
    def command() -> None:
        raise error

    return app


def ended(error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[object, str]:
    monkeypatch.setattr(sys, "argv", ["x", "command"])
    with pytest.raises(SystemExit) as leaving:
        frame.run(raising(error))
    return leaving.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (frame.UsageError("say which"), 2, "error: say which\n"),
        (frame.UsageError("one\ntwo"), 2, "error: one\nerror: two\n"),
        (frame.UsageError("one\n\n  two"), 2, "error: one\nerror:   two\n"),
        (FileNotFoundError(2, "No such file", "a.toml"), 3, "error: a.toml: No such file\n"),
        (OSError(28, "No space left on device"), 3, "error: No space left on device\n"),
        (ConnectionResetError("gone"), 3, "error: gone\n"),
    ],
)
def test_an_error_that_is_foreseen_is_a_line_and_a_code(
    error: Exception, code: int, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ended(error, capsys, monkeypatch) == (code, said)


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "command"])
    with pytest.raises(KeyError):
        frame.run(raising(KeyError("a bug")))


@pytest.mark.parametrize("name", [name for name in frame.CODE_BY_ERROR if not name.startswith("builtins")])
def test_every_error_that_has_a_code_exists(name: str) -> None:
    module, _, kind = name.partition(":")
    assert issubclass(getattr(importlib.import_module(module), kind), Exception)


@pytest.mark.parametrize("program", ["trade", "tradingd"])
def test_help_imports_nothing_heavy(program: str) -> None:
    code = f"import sys; from tradingd_cli.{program} import app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in HEAVY if name in loaded] == []


def test_help_is_quick() -> None:
    """Well under a second even on a busy machine; the aim is 0.3 s."""
    command = [
        sys.executable,
        "-c",
        "import sys; sys.argv = ['trade', '-h']; from tradingd_cli.trade import main; main()",
    ]
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 1.0


def test_there_is_no_colour_where_nobody_looks(run: Callable[..., Any]) -> None:
    assert "\x1b" not in run("trade", "doctor").out


def test_output_to_a_closed_pipe_is_no_traceback() -> None:
    code = "import sys; sys.argv = ['trade', 'config', 'schema']; from tradingd_cli.trade import main; main()"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert "Traceback" not in done.stderr
