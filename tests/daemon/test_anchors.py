"""Each kind of anchor: what it takes, and how its failures read."""

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from loopback import loopback

from tradingd.daemon.anchors import Anchor, AnchorError, Aside, build_anchor, send_in_time
from tradingd.journal.settings import (
    CommandAnchorSettings,
    FileAnchorSettings,
    HttpAnchorSettings,
)

LINE = b'{"commit_no":1}\n'


def send(anchor: Anchor, *lines: bytes, timeout_s: float = 30.0) -> None:
    async def all_lines() -> None:
        for line in lines:
            await send_in_time(anchor, line, timeout_s)

    asyncio.run(all_lines())


def file_anchor(path: Path) -> Anchor:
    return build_anchor(FileAnchorSettings(name="file", path=str(path)))


def command(*argv: str) -> Anchor:
    return build_anchor(CommandAnchorSettings(name="command", argv=argv))


def python(code: str) -> Anchor:
    return command(sys.executable, "-c", code)


def http(url: str) -> Anchor:
    return build_anchor(HttpAnchorSettings(name="http", url=url))


# --- file -------------------------------------------------------------------------------------------------------------


def test_a_file_gets_line_after_line(tmp_path: Path) -> None:
    send(file_anchor(tmp_path / "heads"), LINE, LINE)
    assert (tmp_path / "heads").read_bytes() == LINE * 2


def test_a_line_that_was_left_half_written_stays_and_ends(tmp_path: Path) -> None:
    (tmp_path / "heads").write_bytes(LINE + LINE[:5])
    send(file_anchor(tmp_path / "heads"), LINE)
    assert (tmp_path / "heads").read_bytes() == LINE + LINE[:5] + b"\n" + LINE


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """An archive that is not mounted must not become a folder of this host."""
    with pytest.raises(AnchorError, match=r"^No such file or directory$"):
        send(file_anchor(tmp_path / "archive" / "heads"), LINE)
    assert not (tmp_path / "archive").exists()


# --- command ----------------------------------------------------------------------------------------------------------


def test_a_command_gets_the_line_on_standard_input(tmp_path: Path) -> None:
    send(command("sh", "-c", f"cat >> {tmp_path}/heads"), LINE, LINE)
    assert (tmp_path / "heads").read_bytes() == LINE * 2


def test_a_command_that_does_not_read_is_not_waited_for() -> None:
    send(command("true"), LINE * 100_000)


def test_a_command_that_fails_says_why_with_its_last_words() -> None:
    with pytest.raises(AnchorError, match=r"^it ended with 3: no space left$"):
        send(
            python("import sys; print('first', file=sys.stderr); sys.stderr.write('no  space left\\n'); exit(3)"), LINE
        )


def test_a_command_that_talks_without_end_is_heard_to_the_end() -> None:
    with pytest.raises(AnchorError, match=r"^it ended with 1: x{4096}$"):
        send(python("import sys; sys.stderr.write('x' * 1_000_000); exit(1)"), LINE)


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(AnchorError, match=r"^/nowhere/anchor can not be run: .*No such file"):
        send(command("/nowhere/anchor"), LINE)


def test_a_command_that_takes_too_long_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    ends: list[bytes] = []

    def watch() -> None:
        with fifo.open("rb") as reading:
            ends.append(reading.read())  # returns when nobody holds the other end any more

    watcher = threading.Thread(target=watch)
    watcher.start()
    with pytest.raises(AnchorError, match=r"^no answer within 1 s$"):
        send(command("sh", "-c", f"exec 3>{fifo}; sleep 1000 & sleep 1000"), LINE, timeout_s=1.0)
    watcher.join()
    assert ends == [b""]


# --- http -------------------------------------------------------------------------------------------------------------


def test_a_web_server_gets_the_line_as_json() -> None:
    with loopback() as server:
        send(http(server.url), LINE, LINE)
        assert (server.bodies, server.kinds) == ([LINE, LINE], {"application/json"})


@pytest.mark.parametrize(("status", "text"), [(302, "302 Found"), (404, "404 Not Found"), (503, "503 Service Unav")])
def test_an_answer_that_is_no_yes_is_a_failure(status: int, text: str) -> None:
    with loopback() as server:
        server.status = status
        with pytest.raises(AnchorError, match=f"^it answered {text}"):
            send(http(server.url), LINE)


def test_a_server_that_is_not_there_is_a_failure_that_does_not_show_the_address() -> None:
    with loopback() as server:
        url = server.url + "?token=secret"
    with pytest.raises(AnchorError, match=r"^ConnectError: ") as failed:
        send(http(url), LINE)
    assert "secret" not in str(failed.value)


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with loopback() as server:
        server.answering.clear()
        with pytest.raises(AnchorError, match=r"^no answer within 0.5 s$"):
            send(http(server.url), LINE, timeout_s=0.5)


# --- aside ------------------------------------------------------------------------------------------------------------


def test_work_that_was_given_up_is_waited_for_by_the_next(tmp_path: Path) -> None:
    order: list[str] = []
    free = threading.Event()

    def slow() -> None:
        free.wait(60)
        order.append("slow")

    async def both() -> None:
        aside = Aside()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(aside.run(slow), 0.05)
        following = asyncio.create_task(aside.run(lambda: order.append("next")))
        await asyncio.sleep(0.05)
        assert order == []
        free.set()
        await following

    asyncio.run(both())
    assert order == ["slow", "next"]


def test_a_bug_in_the_work_comes_out() -> None:
    async def run() -> None:
        await Aside().run(lambda: signal.Signals("nonsense"))

    with pytest.raises(ValueError, match="nonsense"):
        asyncio.run(run())


def test_nobody_waits_for_work_that_hangs_at_the_end_of_the_process() -> None:
    code = (
        "import asyncio, threading\n"
        "from tradingd.daemon.anchors import Aside\n"
        "async def run():\n"
        "    async with asyncio.timeout(0.05):\n"
        "        await Aside().run(threading.Event().wait)\n"
        "asyncio.run(run())\n"
    )

    async def outcome() -> tuple[int | None, bytes]:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=asyncio.subprocess.PIPE)
        _, said = await process.communicate()
        return process.returncode, said

    code_of, said = asyncio.run(outcome())
    assert code_of == 1
    assert said.splitlines()[-1] == b"TimeoutError"
