"""Why something happened, or why nothing was traded: an answer in a sentence, and the chain that proves it."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from tradingd import events as e
from tradingd.audit import causes
from tradingd.audit.chain import Case, Step, instrument_of, place
from tradingd.audit.errors import AuditError
from tradingd.audit.lookup import Lookup
from tradingd.audit.points import Position
from tradingd.audit.runs import run_at
from tradingd.audit.words import Row, in_words, number
from tradingd.columns import TIMEFRAMES
from tradingd.events import Event
from tradingd.journal.reader import JournalReader
from tradingd.reducers.post import FINANCING

OF_VENUE = ("OrderAccepted", "OrderRejected", "OrderCanceled", "OrderExpired", "CancelRequested", "OrderFilled")
OF_DECISION = (e.OrderRequested, e.OrderRefused, e.CancelRequested)


class Explanation(Struct):
    """The chain begins with the event that was asked about."""

    position: str
    answer: str
    chain: list[Step]


def explain(reader: JournalReader, at: Position) -> Explanation:
    """Raises AuditError where there is no such event."""
    case = Case(Lookup(reader), run_at(reader, at.seq).names)
    if at.n == 0:
        return _input(case, at)
    if (event := case.lookup.event(at)) is not None:
        answer, chain = _EXPLAINED.get(type(event.body), _at_input)(case, event)
        return Explanation(str(at), answer, [case.step("asked", event), *chain])
    if (bar := case.lookup.bar(at)) is not None:
        return _bar(case, at, bar)
    raise AuditError(f"there is no event {at}: {_range(_caused(case, at.seq), at.seq)}")


# --- inputs and bars --------------------------------------------------------------------------------------------------


def _input(case: Case, at: Position) -> Explanation:
    """An input, and all that it caused."""
    asked = list(case.input("asked", at.seq))
    if not asked:
        raise AuditError(f"there is no input {at.seq} in what can be read of this journal")
    caused = _caused(case, at.seq)
    counts = Counter(step.type for step in caused)
    what = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    answer = f"it caused {what}" if caused else "it caused nothing: no bar closed, no order was met, no timer was due"
    return Explanation(str(at), answer, [*asked, *caused])


def _caused(case: Case, seq: int) -> list[Step]:
    steps = [case.step("caused", event) for event in case.lookup.events_at(seq) if event.n]
    steps += [case.bar_step("caused", bar) for bar in case.lookup.bars_at(seq)]
    return sorted(steps, key=lambda step: int(step.position.partition(".")[2]))


def _range(caused: list[Step], seq: int) -> str:
    return f"input {seq} caused {caused[0].position} to {caused[-1].position}" if caused else f"{seq} caused nothing"


def _bar(case: Case, at: Position, bar: Row) -> Explanation:
    """A bar: what it changed, or what its strategies went on to want."""
    signals = [event for event in case.lookup.events_at(at.seq) if _is_of_bar(case, event, bar)]
    made = list(causes.of_bar(case, bar))
    if signals:
        answer = "it changed what a strategy wants"
        told = [case.step("caused", signal) for signal in signals]
    else:
        answer = _unmoved(case, bar)
        wishes = (case.signal(at, bar["instrument"], strategy) for strategy in case.steppers(bar))
        told = [case.step("still", wish) for wish in wishes if wish is not None]
    return Explanation(str(at), answer, [case.bar_step("asked", bar), *told, *made])


def _is_of_bar(case: Case, event: Event, bar: Row) -> bool:
    body = event.body
    return (
        isinstance(body, e.Signal)
        and (body.instrument, body.ts_bar_close_ns) == (bar["instrument"], bar["ts_close_ns"])
        and case.timeframe(body.strategy) == bar["timeframe"]
    )


def _unmoved(case: Case, bar: Row) -> str:
    if steppers := case.steppers(bar):
        return f"nothing was traded: {', '.join(steppers)} saw it and wanted nothing else than before"
    which = f"{TIMEFRAMES[bar['timeframe']]} bars of {case.names.instrument(bar['instrument'])}"
    return f"nothing was traded: no strategy steps on {which}"


# --- facts ------------------------------------------------------------------------------------------------------------

Answered = tuple[str, list[Step]]


def _at_input(case: Case, event: Event) -> Answered:
    return f"it came with input {event.seq}", list(case.input("at input", event.seq))


def _report(case: Case, event: Event) -> Answered:
    body: Any = event.body
    order = case.order(body.cl_ord_id)
    answer = _reason(order) if order else f"nobody had requested the order {body.cl_ord_id}"
    return answer, list(causes.of_report(case, event))


def _fill(case: Case, event: Event) -> Answered:
    answer, chain = _report(case, event)
    return answer, [*_postings(case, event), *chain]


def _postings(case: Case, fill: Event) -> Iterator[Step]:
    """What follows a fill directly."""
    for event in case.lookup.events_at(fill.seq):
        if event.n > fill.n:
            if not isinstance(event.body, e.PositionChanged | e.AccountChanged):
                return
            yield case.step("posted", event)


def _posting(case: Case, event: Event) -> Answered:
    """A posting belongs to the newest fill before it at the same input, unless time has brought it about."""
    if isinstance(event.body, e.AccountChanged) and event.body.reason.partition(" ")[0] in FINANCING:
        return f"it fell due by core time: {event.body.reason}", list(case.input("at input", event.seq))
    fill = case.before(event, e.OrderFilled)
    if fill is None:
        return _at_input(case, event)
    return _report(case, fill)[0], [case.step("of fill", fill), *causes.of_report(case, fill)]


def _order(case: Case, event: Event) -> Answered:
    body: Any = event.body
    then = [case.step("then", report) for report in case.lookup.of_order(body.cl_ord_id, OF_VENUE)]
    return _reason(event), [*then, *causes.of_order(case, event)]


def _reason(order: Event) -> str:
    body: Any = order.body
    if body.reason == "decision":
        return "a decision wanted another position"
    if getattr(body, "parent", None):
        return f"the order protects a position that another one opened, as its {body.reason.replace('_', ' ')}"
    return f"the order was for {body.reason.replace('_', ' ')}"


def _refused(case: Case, event: Event) -> Answered:
    body: Any = event.body
    limit = "" if body.limit is None else f"; the limit is {number(body.limit)}"
    value = "" if body.value is None else f", it would have been {number(body.value)}"
    answer = f"nothing was traded: the rule {body.rule} refused the order{limit}{value}"
    return answer, list(causes.of_order(case, event))


def _decision(case: Case, event: Event) -> Answered:
    outcome = _outcome(case, event)
    chain = [*(case.step("caused", each) for each in outcome), *causes.of_decision(case, event)]
    return _traded(case, event, outcome), chain


def _outcome(case: Case, decision: Event) -> list[Event]:
    """Orders and cancels that a decision caused: up to the next one at its input, and what it waited for."""
    following = case.after(decision, e.Decision)
    end = following.n if following else 2**31
    events = case.lookup.events_at(decision.seq)
    found = [each for each in events if decision.n < each.n < end and isinstance(each.body, OF_DECISION)]
    later = None if any(_by_decision(each) for each in found) else case.traded_later(decision)
    return [*found, later] if later else found


def _by_decision(event: Event) -> bool:
    return isinstance(event.body, e.OrderRequested | e.OrderRefused) and event.body.reason == "decision"


def _traded(case: Case, decision: Event, outcome: list[Event]) -> str:
    """What became of a decision."""
    orders = [each for each in outcome if _by_decision(each)]
    if not orders:
        return f"nothing was traded: {_idle(case, decision, outcome)}"
    first: Any = orders[0].body
    if isinstance(first, e.OrderRefused):
        return f"the rule {first.rule} refused the order, nothing was traded: {first.text}"
    sent = "it was traded" if first.ord_type is e.OrdType.MARKET else f"it was ordered: {in_words(first, case.names)}"
    return sent if orders[0].seq == decision.seq else f"{sent}, after older orders had ended"


def _idle(case: Case, decision: Event, outcome: list[Event]) -> str:
    body: Any = decision.body
    before = case.newest(decision, "Decision", body.instrument)
    if before is not None and isinstance(before.body, e.Decision) and before.body.target == body.target:
        moved = ", what protects its position was moved" if outcome else ""
        return f"the target is still {body.target:+.4g}, as decided at {place(before)}{moved}"
    if any(isinstance(each.body, e.CancelRequested) for each in outcome):
        return "it waited for older orders to end, and was overtaken by the next decision or by the end"
    position = case.newest(decision, "PositionChanged", body.instrument)
    held = in_words(position.body, case.names) if position else "there is no position"
    return f"{held}, and with the orders on their way that is what the target comes to"


def _signal(case: Case, event: Event) -> Answered:
    decision, chain = case.after(event, e.Decision, instrument_of(event)), list(causes.of_signal(case, event))
    if decision is None:
        return "nothing was traded: the votes together decide what they did before", chain
    outcome = _outcome(case, decision)
    caused = [case.step("caused", each) for each in (decision, *outcome)]
    return f"it made a new decision, and {_traded(case, decision, outcome)}", [*caused, *chain]


_EXPLAINED: dict[type, Callable[[Case, Event], Answered]] = {
    e.Signal: _signal,
    e.Decision: _decision,
    e.OrderRequested: _order,
    e.OrderRefused: _refused,
    e.OrderFilled: _fill,
    e.OrderAccepted: _report,
    e.OrderRejected: _report,
    e.CancelRequested: _report,
    e.OrderCanceled: _report,
    e.OrderExpired: _report,
    e.PositionChanged: _posting,
    e.AccountChanged: _posting,
}
