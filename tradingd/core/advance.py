"""The core: `advance(state, inputs)` gives the facts that the inputs cause. Pure, synchronous, without clock or I/O.

The story of one batch: the scan kernel runs over the rows and stops at the next one that matters; here it is said what
happens then; and the scan goes on. An input that is no tick first lets time pass, then does what its kind does. Where a
batch is cut changes nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tradingd.columns import FRAME, TickBatch, tick_batch
from tradingd.commit import Commit
from tradingd.core import execution, signals
from tradingd.core.state import State
from tradingd.core.turn import Turn
from tradingd.core.watch import watch
from tradingd.events import AnyBody, Command, FundingRate, Input, OperatorCommand, Resumption, RunStarted
from tradingd.kernels import financing, posting, sizing, spread
from tradingd.kernels import scan as k

Item = TickBatch | Input


def advance(state: State, items: Sequence[Item]) -> Commit:
    """Takes `items` in order, moves `state` on, and returns them at their positions with the facts they caused."""
    turn = Turn(state, first_seq=state.seq + 1)
    for item in items:
        if isinstance(item, TickBatch):
            _advance_ticks(turn, item)
        else:
            _advance_input(turn, item)
    return turn.commit()


def load_kernels(state: State) -> None:
    """Compiles, or takes from the cache, what the first row and the first fill would else wait for: seconds."""
    nothing = tick_batch(0, kind=FRAME, instrument=0, ts_event_ns=np.empty(0))
    k.scan(*_arguments(Turn(state, first_seq=state.seq + 1), nothing))
    financing.load()
    posting.load()
    sizing.load()
    spread.load()


def _advance_ticks(turn: Turn, batch: TickBatch) -> None:
    state = turn.state
    turn.ticks.append((state.seq + 1, batch))
    _scan_all(turn, batch)
    state.seq += len(batch)
    state.ledger.count_rows(state.source_name(batch.source), len(batch))


def _advance_input(turn: Turn, item: Input) -> None:
    turn.take_input(item)
    _pass_time(turn, item.ts_received_ns, isinstance(item.body, FundingRate))
    turn.state.seq += 1
    first = turn.state.ledger.run is None
    turn.note(item.body)
    if first and isinstance(item.body, RunStarted):
        execution.open_books(turn)
    if not turn.state.warming:
        _ON_INPUT.get(type(item.body), _nothing_more)(turn, item.body)
    execution.heed_anomaly(turn)


def _pass_time(turn: Turn, core_ns: int, is_row: bool) -> None:
    """What is due happens where time moves, and at rows, of which a feed tells some as inputs. A bar may be overdue
    from its first tick on: what is stamped with core time as it stands, as the start of a run is, must not be what
    closes it, or a restart would change what is decided."""
    if core_ns > turn.memory.core_ns or is_row:
        _scan_all(turn, _moment(core_ns, k.MOMENT if is_row else FRAME))
    else:
        turn.stand_at(turn.state.seq + 1)


def _moment(core_ns: int, kind: int) -> TickBatch:
    """One row that does nothing but let time pass."""
    return tick_batch(0, kind=kind, instrument=0, ts_event_ns=np.array([core_ns], np.int64))


def _scan_all(turn: Turn, batch: TickBatch) -> None:
    turn.memory.cursor["row"] = 0
    arguments = _arguments(turn, batch)
    while (reason := k.scan(*arguments)) != k.DONE:
        turn.stopped()
        _ON_STOP[reason](turn, batch)
        execution.heed_anomaly(turn)
        turn.go_on()
    turn.stopped()


def _arguments(turn: Turn, b: TickBatch) -> tuple[Any, ...]:
    """Of the scan: the same arrays for as long as it stops in this batch."""
    return (
        turn.memory.places, b.kind, b.flags, b.instrument, b.ts_event_ns, b.ts_received_ns, b.price, b.size,
        b.ask_price, b.ask_size, turn.state.seq + 1,
    )  # fmt: skip


def _on_timer(turn: Turn, _batch: TickBatch) -> None:
    execution.on_time(turn)


def _on_touch(turn: Turn, batch: TickBatch) -> None:
    execution.on_tick(turn, batch, int(turn.memory.cursor["row"][0]))


def _on_breach(turn: Turn, _batch: TickBatch) -> None:
    execution.on_breach(turn)


def _on_changed(turn: Turn, _batch: TickBatch) -> None:
    signals.on_changed(turn)


def _on_full(turn: Turn, _batch: TickBatch) -> None:
    turn.take_bars()


_ON_STOP: dict[int, Callable[[Turn, TickBatch], None]] = {
    k.TIMER: _on_timer,
    k.TOUCH: _on_touch,
    k.BREACH: _on_breach,
    k.CHANGED: _on_changed,
    k.FULL: _on_full,
}


def _on_started(turn: Turn, body: AnyBody) -> None:
    if isinstance(body, RunStarted) and body.resumed is Resumption.WARMED:
        signals.on_warmed(turn)


def _on_command(turn: Turn, body: AnyBody) -> None:
    assert isinstance(body, OperatorCommand)
    _COMMANDS[body.command](turn, body)
    watch(turn.state)


def _on_funding(turn: Turn, body: AnyBody) -> None:
    assert isinstance(body, FundingRate)
    execution.fund(turn, body)


def _nothing_more(_turn: Turn, _body: AnyBody) -> None:
    """The ledger has taken note; nothing follows."""


_ON_INPUT: dict[type, Callable[[Turn, AnyBody], None]] = {
    RunStarted: _on_started,
    OperatorCommand: _on_command,
    FundingRate: _on_funding,
}
_COMMANDS: dict[Command, Callable[[Turn, OperatorCommand], None]] = {
    Command.HALT: execution.halt,
    Command.RESUME: execution.resume,
    Command.FLATTEN: execution.flatten,
    Command.STOP: _nothing_more,
}
