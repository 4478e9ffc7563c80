"""A disk in memory: what is written may be lost until it is synced, and each operation may be the last one."""

import random

from simulated.faults import Faults

Write = tuple[int, bytes]


class File:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._durable = b""
        self._pending: list[Write] = []

    @property
    def durable(self) -> bytes:
        return self._durable

    @property
    def content(self) -> bytes:
        """As a process reads it, synced or not."""
        return _written(self._durable, self._pending)

    def read(self) -> bytes:
        self._faults.point()
        return self.content

    def write(self, offset: int, data: bytes) -> None:
        self._faults.disk()
        self._pending.append((offset, data))

    def sync(self) -> None:
        self._faults.disk()
        self._durable, self._pending = self.content, []
        self._faults.point()

    def truncate(self, size: int) -> None:
        """Durable when it returns, with all that is left."""
        self._durable, self._pending = self.content[:size], []

    def cut_power(self, rng: random.Random) -> None:
        """Each write that was not synced is there, or not, or only how it begins."""
        kept = [(offset, data[: _how_much(len(data), rng)]) for offset, data in self._pending]
        self._durable, self._pending = _written(self._durable, kept), []


def _how_much(size: int, rng: random.Random) -> int:
    return rng.choice((0, size, rng.randrange(size + 1)))


def _written(content: bytes, writes: list[Write]) -> bytes:
    data = bytearray(content)
    for offset, piece in writes:
        if piece:
            data += bytes(max(0, offset - len(data)))
            data[offset : offset + len(piece)] = piece
    return bytes(data)


class Disk:
    """The files of one journal."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.log, self.head = File(faults), File(faults)
        self.snapshots: dict[str, bytes] = {}

    def keep(self, name: str, payload: bytes) -> None:
        """A side file: there with its whole content, or not at all."""
        self.faults.disk()
        self.snapshots[name] = payload
        self.faults.disk()

    def cut_power(self, rng: random.Random) -> None:
        self.log.cut_power(rng)
        self.head.cut_power(rng)
