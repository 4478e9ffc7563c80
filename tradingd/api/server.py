"""Serves the control socket. The daemon hands in what is to be done; nothing here knows how."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from tradingd.api.messages import REQUEST_BYTES_MAX, Failed, Recorded, Reply, Request, Status, decode_request, encode
from tradingd.api.sockets import listening, peer
from tradingd.api.tail import Subscription
from tradingd.events import Command


class CommandRefused(Exception):
    """The daemon does not take this command now; the message says why."""


class Control(Protocol):
    """What the daemon gives to the socket."""

    async def status(self) -> Status: ...

    def tail(self) -> AbstractContextManager[Subscription]:
        """Durable events from here on."""
        ...

    async def command(self, command: Command, actor: str, reason: str) -> int:
        """Returns the command's seq once it is durable. Raises CommandRefused."""
        ...


class Limits(Struct, frozen=True):
    clients: int = 16
    idle_s: float = 60.0  # a client that asks nothing is let go
    answer_s: float = 10.0  # for the daemon to answer


LIMITS = Limits()


async def serve(
    path: Path, control: Control, *, ready: Callable[[], None] = lambda: None, limits: Limits = LIMITS
) -> None:
    """Serves until cancelled; `ready` is called once clients can connect. Raises SocketPathError."""
    with listening(path) as sock:
        async with asyncio.TaskGroup() as clients:
            service = _Service(control, limits, clients)
            server = await asyncio.start_unix_server(service.connected, sock=sock, limit=REQUEST_BYTES_MAX)
            try:
                ready()
                await asyncio.Event().wait()
            finally:
                server.close()


class _Service:
    def __init__(self, control: Control, limits: Limits, tasks: asyncio.TaskGroup) -> None:
        self._control = control
        self._limits = limits
        self._tasks = tasks
        self._clients = 0

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Clients are tasks of our group, so that a bug in answering one ends the daemon instead of a log line."""
        self._tasks.create_task(self._client(reader, writer), name="control-client")

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            await self._talk(reader, writer)
        except (ConnectionError, TimeoutError):
            return  # it went away, or neither asked nor read for too long
        finally:
            self._clients -= 1
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        crowded = self._clients > self._limits.clients
        actor = peer(writer.get_extra_info("socket"))
        while line := await self._line(reader, writer):
            if crowded:
                await self._send(writer, Failed(f"{self._limits.clients} clients are connected already; try again"))
                return
            request = _understood(line)
            if isinstance(request, Request) and request.op == "tail":
                await self._tail(reader, writer)
                return
            await self._send(writer, await self._answer(request, actor))

    async def _tail(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the client leaves or says anything, or reads too slowly."""
        writer.transport.set_write_buffer_limits(high=0)  # what was taken from the subscription is with the client
        with self._control.tail() as subscription:

            def end(left: asyncio.Task[bytes]) -> None:
                subscription.end()
                if not left.cancelled():
                    left.exception()  # how it left does not matter

            leaving = asyncio.create_task(reader.read(1), name="control-tail-leaving")
            leaving.add_done_callback(end)
            try:
                async for lines in subscription.lines():
                    await self._send_lines(writer, lines)
            finally:
                leaving.cancel()

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The next request; nothing when the client is done or sent one without an end."""
        try:
            async with asyncio.timeout(self._limits.idle_s):
                return await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return b""
        except asyncio.LimitOverrunError:
            await self._send(writer, Failed(f"a request is one line of at most {REQUEST_BYTES_MAX} bytes"))
            return b""

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> None:
        await self._send_lines(writer, encode(reply))

    async def _send_lines(self, writer: asyncio.StreamWriter, lines: bytes) -> None:
        writer.write(lines)
        async with asyncio.timeout(self._limits.idle_s):
            await writer.drain()

    async def _answer(self, request: Request | Failed, actor: str) -> Reply:
        if isinstance(request, Failed):
            return request
        try:
            async with asyncio.timeout(self._limits.answer_s):
                return await self._perform(request, actor)
        except TimeoutError:
            return Failed(f"no answer within {self._limits.answer_s:g} s; it may still be done: ask for the status")
        except CommandRefused as error:
            return Failed(str(error))

    async def _perform(self, request: Request, actor: str) -> Reply:
        if request.command is None:
            return await self._control.status()
        return Recorded(await self._control.command(request.command, actor, request.reason))


def _understood(line: bytes) -> Request | Failed:
    try:
        return decode_request(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Failed(f"not a request: {error}")
