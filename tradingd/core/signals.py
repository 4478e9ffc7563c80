"""From closed bars to decisions: a changed wish becomes a Signal, the signals of an instrument a Decision."""

import math
from operator import attrgetter

import msgspec

from tradingd.core import execution
from tradingd.core.memory import Records
from tradingd.core.turn import Turn
from tradingd.core.watch import watch, watch_time
from tradingd.events import Anomaly, Decision, Signal
from tradingd.kernels.calls import NOT_ALLOWED, PRICES
from tradingd.kernels.slots import settle_python
from tradingd.strategies.combine import Vote, combine
from tradingd.strategies.contract import PythonInstance, bar_of, write_target

_ESSENCE = attrgetter("target", *PRICES)


def on_changed(turn: Turn) -> None:
    """Hears the slots that the scan marked, in slot order, and decides for their instruments."""
    m = turn.memory
    heard: dict[int, None] = {}
    for slot in _changed(m.slots):
        record = m.slots[slot]
        record["changed"] = 0
        if record["python"] and not _step_python(turn, slot):
            continue
        _tell(turn, slot)
        heard[m.table[slot].instrument] = None
    if not turn.state.warming:
        for instrument in heard:
            _decide(turn, instrument)
    watch_time(turn.state)


def _changed(slots: Records) -> list[int]:
    return [slot for slot, changed in enumerate(slots["changed"].tolist()) if changed]


def on_warmed(turn: Turn) -> None:
    """After a start with other settings: what no strategy decides on any more is closed."""
    for instrument, decision in list(turn.state.ledger.decisions.items()):
        if decision.target != 0.0 and not _votes(turn, instrument):
            _decide(turn, instrument)
    watch(turn.state)


def _step_python(turn: Turn, slot: int) -> bool:
    """Runs a Python strategy on its newest bar; True where what it wants has changed."""
    m = turn.memory
    instance = m.table[slot].instance
    assert isinstance(instance, PythonInstance)
    wish = instance.on_bar(bar_of(m.scratch.bars[m.slots["bar"][slot]]))
    if wish is not None:
        write_target(m.wishes[slot]["own"], wish)
    changed = settle_python(slot, m.scratch.bars, m.instruments, m.slots, m.steps, m.wishes, m.told)
    m.slots["changed"][slot] = 0
    return changed


def _tell(turn: Turn, slot: int) -> None:
    m = turn.memory
    entry, record = m.table[slot], m.slots[slot]
    if record["unlawful"]:
        turn.emit(Anomaly("unlawful wish", f"strategy {entry.strategy}: {NOT_ALLOWED}"))
    # the bar of a leg may have closed before those of the other legs, in a batch that is gone
    bar = m.leg_bars[record["leg"]] if entry.legs > 1 else m.scratch.bars[record["bar"]]
    target, confidence, *prices = m.told.item(slot)
    turn.emit(
        Signal(
            entry.strategy,
            entry.instrument,
            bar["ts_close"].item(),
            target,
            confidence,
            bar["close"].item(),
            *[None if math.isnan(price) else price for price in prices],  # of PRICES, as the fields of a signal
        )
    )


def _decide(turn: Turn, instrument: int) -> None:
    """Combines the signals of an instrument; a decision that says something new is journalled and acted on."""
    state = turn.state
    before = state.ledger.decisions.get(instrument)
    votes = _votes(turn, instrument)
    if votes:
        decision = combine(instrument, votes, state.settings.combine)
    else:
        decision = Decision(instrument, 0.0, before.price if before else 0.0, (), "no strategy has a say")
    if before is None and decision.target == 0.0:
        return
    if before is None or _differ(before, decision):
        turn.emit(decision)
        execution.follow(turn, decision, before)


def _votes(turn: Turn, instrument: int) -> list[Vote]:
    """The newest signal of every strategy on the instrument; targets become fractions of the whole account."""
    signals = turn.state.ledger.signals
    return [
        Vote(
            msgspec.structs.replace(signal, target=signal.target * strategy.allocation),
            strategy.weight,
            strategy.time_in_force,
        )
        for strategy in turn.state.settings.strategies
        if (signal := signals.get(strategy.name, {}).get(instrument)) is not None
    ]


def _differ(a: Decision, b: Decision) -> bool:
    return bool(_ESSENCE(a) != _ESSENCE(b))
