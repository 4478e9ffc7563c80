"""Every command that the README and the docs show runs from the built wheel, in order, and prints what they show."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from audited_day import edited
from built_wheel import ROOT, Installed
from doc_pages import PAGES, Block, blocks, difference

QUICK = ("--set", 'feeds.market.pace="max"')
CONTROL = ("status", "halt", "resume", "flatten", "stop", "tail")
CHEAPER = """UPDATE facts SET payload = replace(payload, '"last_px":180', '"last_px":179') WHERE rowid = (
    SELECT rowid FROM facts WHERE type = 'OrderFilled' AND payload LIKE '%"instrument":0,%' ORDER BY seq, n LIMIT 1)"""
RUN = [block for page in PAGES for block in blocks(page) if block.commands]


@pytest.fixture(scope="session")
def demo(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with journal/demo and a forged copy of it, and what the demo printed."""
    folder = tmp_path_factory.mktemp("demo")
    done = installed.run("tradingd", "demo", *QUICK, cwd=folder)
    assert done.returncode == 0, done.stderr
    edited(folder / "journal" / "demo", folder / "forged", CHEAPER)
    return folder, done.stdout.splitlines()


@pytest.fixture
def place(demo: tuple[Path, list[str]], installed: Installed, tmp_path: Path) -> Path:
    """Where a reader stands: a config of their own, the demo's journal and a forged one, the depth of docs/depth.md."""
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "demo").symlink_to(demo[0] / "journal" / "demo")
    (tmp_path / "forged").symlink_to(demo[0] / "forged")
    assert installed.run("trade", "config", "init", "mine.toml", cwd=tmp_path).returncode == 0
    (depth,) = blocks(ROOT / "docs" / "depth.md", ["text"])
    (tmp_path / "depth.csv").write_text("\n".join([*depth.shown, ""]))
    return tmp_path


def test_the_docs_show_commands() -> None:
    assert len(RUN) > 15
    assert {block.page.name for block in RUN} >= {"README.md", "ops.md", "audit.md"}
    assert sum(len(block.commands) for block in RUN) > 35


def test_the_demo_prints_what_the_readme_shows(demo: tuple[Path, list[str]]) -> None:
    (shown,) = (block.shown for block in blocks(ROOT / "README.md", ["text"]))
    printed = demo[1][demo[1].index("traded") :]
    assert difference([*shown, "..."], printed) == "", "\n".join(printed)


@pytest.mark.parametrize("block", RUN, ids=str)
def test_the_commands_of_a_block_run(block: Block, place: Path, installed: Installed) -> None:
    shell = Shell(installed, place)
    with shell.ended():
        for words in block.commands:
            shell.run(words)
    if block.language == "console":
        assert difference(block.shown, shell.printed) == "", "\n".join(shell.printed)


class Shell:
    """Runs commands one after the other. A daemon that is started without an end goes on beside the next ones."""

    def __init__(self, installed: Installed, folder: Path) -> None:
        self._installed = installed
        self._folder = folder
        self._beside: dict[str, subprocess.Popen[str]] = {}
        self.printed: list[str] = []

    def run(self, words: list[str]) -> None:
        if words[:2] == ["tradingd", "start"]:
            self._end_all()
        if words[:2] == ["tradingd", "start"] and "--until-done" not in words:
            self._start(words[2:])
        elif words[0] == "tradingd" and words[1] in CONTROL:
            self._control(words)
        else:
            self._to_the_end(words)

    @contextmanager
    def ended(self) -> Iterator[None]:
        """Whatever runs beside is ended, well or not."""
        try:
            yield
            self._end_all()
        finally:
            for process in self._beside.values():
                process.kill()
                process.communicate()

    def _to_the_end(self, words: list[str]) -> None:
        if words[1:3] == ["config", "init"]:
            (self._folder / words[3]).unlink()
        quick = QUICK if words[1] in ("start", "demo") else ()
        done = self._installed.run(words[0], *words[1:], *quick, cwd=self._folder)
        is_no = "forged" in words or words[1] == "diff"
        assert done.returncode == (1 if is_no else 0), done.stdout + done.stderr
        self.printed += done.stdout.splitlines()

    def _control(self, words: list[str]) -> None:
        """The daemon that is meant runs already, or runs now."""
        if "daemon" not in self._beside:
            self._start(["-c", "mine.toml", *(words[2:4] if words[2] == "-j" else [])])
        if words[1] == "tail":
            self._beside[" ".join(words)] = follower = self._installed.begin(*words, cwd=self._folder)
            assert follower.stdout is not None
            assert follower.stdout.readline(), follower.communicate()
            return
        self._to_the_end(words)
        if words[1] == "stop":
            self._end(self._beside.pop("daemon"))

    def _start(self, options: list[str]) -> None:
        (self._folder / "journal" / "demo").unlink(missing_ok=True)  # a link; a daemon makes a journal of its own
        daemon = self._installed.begin("tradingd", "start", *options, cwd=self._folder)
        self._beside["daemon"] = daemon
        which = ("-j", options[options.index("-j") + 1]) if "-j" in options else ("-c", "mine.toml")
        while self._installed.run("tradingd", "status", *which, cwd=self._folder).returncode:
            assert daemon.poll() is None, daemon.communicate()
            time.sleep(0.1)

    def _end_all(self) -> None:
        """Ctrl-C for the daemon; who follows it then comes to the end."""
        if "daemon" in self._beside:
            self._beside["daemon"].send_signal(signal.SIGINT)
        while self._beside:
            self._end(self._beside.popitem()[1])

    def _end(self, process: subprocess.Popen[str]) -> None:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
