"""The state as bytes and back, and its digest. Nothing is pickled; a snapshot fits the same code and settings only."""

import hashlib
import re
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from tradingd.core.memory import Library, Memory, memory_arrays
from tradingd.core.settings import CoreSettings
from tradingd.core.state import State, initial_state
from tradingd.reducers.digest import digest_view
from tradingd.reducers.ledger import Ledger
from tradingd.risk.context import RiskState
from tradingd.simulation.state import VenueState

DIGEST_SIZE = 32
# where the scan stands in its run and its batch
NOT_DIGESTED = {"cursor": ("seq", "n", "row", "stage", "bars", "late"), "slots": ("bar",)}


class Snapshot(Struct):
    """`taken_by` is the digests of settings and code: a snapshot means nothing to others."""

    taken_by: tuple[str, str]
    seq: int
    ledger: Ledger
    venue: VenueState
    risk: RiskState
    arrays: dict[str, bytes]
    strategies: list[list[bytes]]  # by slot: the strategy's state and those of its exits


class _Taker(Struct):
    """The part of a snapshot that every version can read."""

    taken_by: tuple[str, str]


class SnapshotMismatchError(Exception):
    """The snapshot was taken by other code or with other settings."""


def encode_snapshot(state: State, taken_by: tuple[str, str]) -> bytes:
    m = state.memory
    return msgspec.msgpack.encode(
        Snapshot(
            taken_by=taken_by,
            seq=state.seq,
            ledger=state.ledger,
            venue=m.venue,
            risk=m.risk,
            arrays={name: values.tobytes() for name, values in memory_arrays(m).items()},
            strategies=[[instance.snapshot() for instance in slot.instances] for slot in m.table],
        )
    )


def taken_by(payload: bytes) -> tuple[str, str]:
    """Digests of the settings and the code that took a snapshot of any version."""
    return msgspec.msgpack.decode(payload, type=_Taker).taken_by


def decode_snapshot(payload: bytes) -> Snapshot:
    """Raises msgspec.MsgspecError for bytes that are no snapshot of this version."""
    return msgspec.msgpack.decode(payload, type=Snapshot)


def restore_snapshot(snapshot: Snapshot, settings: CoreSettings, library: Library) -> State:
    """Raises SnapshotMismatchError."""
    state = initial_state(settings, library)
    state.seq, state.ledger = snapshot.seq, snapshot.ledger
    state.memory.venue, state.memory.risk = snapshot.venue, snapshot.risk
    _restore_arrays(state.memory, snapshot.arrays)
    _restore_strategies(state.memory, snapshot.strategies)
    return state


def _restore_arrays(memory: Memory, saved: dict[str, bytes]) -> None:
    arrays = memory_arrays(memory)
    if {name: values.nbytes for name, values in arrays.items()} != {name: len(data) for name, data in saved.items()}:
        raise SnapshotMismatchError("the snapshot's arrays have other shapes")
    for name, values in arrays.items():
        values[...] = np.frombuffer(saved[name], values.dtype).reshape(values.shape)


def _restore_strategies(memory: Memory, saved: list[list[bytes]]) -> None:
    if [len(states) for states in saved] != [len(slot.instances) for slot in memory.table]:
        raise SnapshotMismatchError("the snapshot has other strategies")
    for slot, states in zip(memory.table, saved, strict=True):
        for instance, state in zip(slot.instances, states, strict=True):
            instance.restore(state)


def state_digest(state: State) -> str:
    """Hex blake2b of ledger and memory without run metadata, sequence numbers and order ids.

    Two runs of the same inputs agree, also where one of them was killed and started again.
    """
    m, digest = state.memory, hashlib.blake2b(digest_size=DIGEST_SIZE)
    digest.update(msgspec.json.encode(digest_view(state.ledger), order="deterministic"))
    digest.update(_without_ids(_plain(m.venue, working=list(m.venue.working.values())), state.ledger))
    digest.update(_plain(m.risk).encode())
    for name, values in memory_arrays(m).items():
        kept = values.copy()
        for column in NOT_DIGESTED.get(name, ()):
            kept[column] = 0
        digest.update(name.encode() + b"\0" + _canonical(kept))
    for slot in m.table:
        for instance in slot.instances:
            digest.update(instance.snapshot())
    return digest.hexdigest()


def _plain(value: Struct, **instead: list[Any]) -> str:
    """Canonical JSON; integer keys as text. Keys are sorted: what is in an order of its own, or has ids as keys, which
    sort otherwise after a restart, is given as a list `instead`."""
    plain = msgspec.to_builtins(value, str_keys=True, order="deterministic")
    return msgspec.json.encode(plain | msgspec.to_builtins(instead, str_keys=True, order="deterministic")).decode()


def _canonical(values: np.ndarray) -> bytes:
    """Field by field, so that padding does not count."""
    if values.dtype.names is None:
        return values.tobytes()
    return b"".join(_canonical(np.ascontiguousarray(values[name])) for name in values.dtype.names)


def _without_ids(text: str, ledger: Ledger) -> bytes:
    """ClOrdIDs become ordinals: they hold seq and epoch, which a restart moves."""
    if ledger.run is None:
        return text.encode()
    known = {cl_ord_id: closed.ordinal for cl_ord_id, closed in ledger.closed.items()}
    known |= {cl_ord_id: order.ordinal for cl_ord_id, order in ledger.orders.items()}
    pattern = re.escape(ledger.run.journal_id) + r"-\d+-\d+-\d+"
    return re.sub(pattern, lambda found: f"#{known.get(found[0], 0)}", text).encode()
