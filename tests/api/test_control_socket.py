"""The control socket over a real unix socket: what a client may send, and what the daemon answers."""

import asyncio
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tradingd.api.client import DaemonUnreachableError, RequestFailedError, call
from tradingd.api.messages import REQUEST_BYTES_MAX, Failed, Recorded, Request, Status, decode_reply, encode
from tradingd.api.server import CommandRefused, Limits, serve
from tradingd.api.sockets import SocketPathError, listening
from tradingd.events import Command

STATUS = Status(instance="t", state="running", pid=1, journal="j", epoch=1, seq=7, core_time_ns=0)


class FakeDaemon:
    """Records what it is told; refuses to resume, and takes forever to flatten."""

    def __init__(self) -> None:
        self.told: list[tuple[Command, str, str]] = []

    async def status(self) -> Status:
        return STATUS

    async def command(self, command: Command, actor: str, reason: str) -> int:
        if command is Command.RESUME:
            raise CommandRefused("not halted")
        if command is Command.FLATTEN:
            await asyncio.sleep(60)
        self.told.append((command, actor, reason))
        return 40 + len(self.told)


def serving(
    path: Path, client: Callable[[], Awaitable[None]], daemon: FakeDaemon | None = None, **limits: float
) -> None:
    """Runs `client` against a server at `path`."""

    async def both() -> None:
        ready = asyncio.Event()
        server = asyncio.create_task(
            serve(path, daemon or FakeDaemon(), ready=ready.set, limits=Limits(**limits))  # type: ignore[arg-type]
        )
        await asyncio.wait({server, asyncio.ensure_future(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
        if server.done():
            await server
        try:
            await asyncio.wait_for(client(), 10)
        finally:
            server.cancel()
            await asyncio.wait({server})

    asyncio.run(both())


def asking(path: Path, request: Request, daemon: FakeDaemon | None = None, **limits: float) -> Status | Recorded:
    """What `call` returns or raises, from a thread beside the server."""
    answers: list[Status | Recorded] = []

    async def client() -> None:
        answers.append(await asyncio.to_thread(call, path, request))

    serving(path, client, daemon, **limits)
    return answers[0]


def sending(path: Path, raw: bytes, **limits: float) -> list[bytes]:
    """The lines that come back for raw bytes, until the server closes."""
    lines: list[bytes] = []

    async def client() -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(raw)
        if limits.get("idle_s") is None:
            writer.write_eof()
        try:
            while line := await reader.readline():
                lines.append(line)
        except ConnectionError:
            return
        finally:
            writer.close()

    serving(path, client, **limits)
    return lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def test_status_is_what_the_daemon_says(path: Path) -> None:
    assert asking(path, Request("status")) == STATUS


def test_a_command_is_recorded_with_its_reason_and_the_peer_that_the_kernel_names(path: Path) -> None:
    daemon = FakeDaemon()
    assert asking(path, Request("halt", reason="odd fills"), daemon) == Recorded(41)
    ((command, actor, reason),) = daemon.told
    assert (command, reason) == (Command.HALT, "odd fills")
    assert actor.startswith(f"uid={os.getuid()}(") and actor.endswith(f") pid={os.getpid()}")


def test_a_refusal_is_an_answer(path: Path) -> None:
    with pytest.raises(RequestFailedError, match="not halted"):
        asking(path, Request("resume"))


def test_a_daemon_that_takes_too_long_is_said_to(path: Path) -> None:
    with pytest.raises(RequestFailedError, match=r"no answer within 0\.1 s"):
        asking(path, Request("flatten"), answer_s=0.1)


def test_several_requests_on_one_connection_are_answered_in_order(path: Path) -> None:
    lines = sending(path, encode(Request("status")) + encode(Request("stop", reason="done")))
    assert [decode_reply(line) for line in lines] == [STATUS, Recorded(41)]


@pytest.mark.parametrize(
    "garbage",
    [b"hello\n", b"\xff\xfe\n", b"{}\n", b"[]\n", b'{"op":"format"}\n', b'{"op":"halt","actor":"root"}\n', b"\n"],
)
def test_garbage_is_refused_and_the_connection_goes_on(path: Path, garbage: bytes) -> None:
    refusal, answer = sending(path, garbage + encode(Request("status")))
    assert isinstance(decode_reply(refusal), Failed)
    assert decode_reply(answer) == STATUS


def test_a_reason_that_is_too_long_is_refused(path: Path) -> None:
    with pytest.raises(RequestFailedError, match="not a request"):
        asking(path, Request("halt", reason="x" * 501))


def test_an_oversize_request_is_refused_and_the_connection_closed(path: Path) -> None:
    lines = sending(path, b"x" * (3 * REQUEST_BYTES_MAX) + b"\n" + encode(Request("status")))
    assert [type(decode_reply(line)) for line in lines] == [Failed]


def test_a_client_that_says_nothing_is_let_go(path: Path) -> None:
    assert sending(path, b'{"op":', idle_s=0.05) == []


def test_a_client_that_goes_away_harms_nobody(path: Path) -> None:
    async def client() -> None:
        for raw in (b"", b'{"op":"sta', encode(Request("status"))):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(path))
                sock.sendall(raw)
        assert await asyncio.to_thread(call, path, Request("status")) == STATUS

    serving(path, client)


def test_one_client_too_many_is_told(path: Path) -> None:
    async def client() -> None:
        first = await asyncio.open_unix_connection(path)
        first[1].write(encode(Request("status")))
        await first[0].readline()
        with pytest.raises(RequestFailedError, match="1 clients are connected"):
            await asyncio.to_thread(call, path, Request("status"))
        first[1].close()

    serving(path, client, clients=1)


def test_a_bug_in_answering_ends_the_server(path: Path) -> None:
    class Broken(FakeDaemon):
        async def status(self) -> Status:
            raise KeyError("a bug")

    async def run() -> None:
        ready = asyncio.Event()
        server = asyncio.create_task(serve(path, Broken(), ready=ready.set))
        await ready.wait()
        with pytest.raises(DaemonUnreachableError, match="said nothing"):
            await asyncio.to_thread(call, path, Request("status"))
        with pytest.raises(ExceptionGroup) as raised:
            await server
        assert raised.value.subgroup(KeyError)

    asyncio.run(run())
    assert not path.exists()


def test_the_socket_is_the_owners_alone_and_gone_afterwards(path: Path) -> None:
    async def client() -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    serving(path, client)
    assert not path.exists()


def test_another_user_is_told_to_be_the_daemons_user(path: Path, request: pytest.FixtureRequest) -> None:
    if os.geteuid() == 0:
        request.addfinalizer(lambda: os.seteuid(0))
    with listening(path) as sock:
        sock.listen()
        if os.geteuid() == 0:
            os.seteuid(65534)
        else:
            path.chmod(0)
        with pytest.raises(DaemonUnreachableError, match="belongs to another user"):
            call(path, Request("status"))
        if os.getuid() == 0:
            os.seteuid(0)


def test_what_a_killed_daemon_left_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    assert asking(path, Request("status")) == STATUS


def test_a_living_daemons_socket_is_left_alone(path: Path) -> None:
    async def client() -> None:
        with pytest.raises(SocketPathError, match="another daemon answers"):
            await serve(path, FakeDaemon())
        assert await asyncio.to_thread(call, path, Request("status")) == STATUS

    serving(path, client)


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(SocketPathError, match="is not a socket"):
        asyncio.run(serve(path, FakeDaemon()))
    assert path.read_text() == "precious"


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SocketPathError, match=r"can not make the control socket .*nowhere"):
        asyncio.run(serve(tmp_path / "nowhere" / "control.sock", FakeDaemon()))


def test_a_path_longer_than_a_socket_address_works_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    assert asking(folder / "control.sock", Request("status")) == STATUS


def test_no_daemon_is_said_in_one_line(path: Path) -> None:
    with pytest.raises(DaemonUnreachableError, match="no daemon runs here"):
        call(path, Request("status"))


def test_a_daemon_that_does_not_answer_is_given_up(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        with pytest.raises(DaemonUnreachableError, match=r"did not answer within 0\.1 s"):
            call(path, Request("status"), timeout_s=0.1)
