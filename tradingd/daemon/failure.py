"""What is journalled when the core fails: the inputs as they came, and how it failed."""

import traceback

from tradingd.columns import TickBatch
from tradingd.commit import BarRows, Commit
from tradingd.core.advance import Item
from tradingd.events import CoreFailed, Event, Input


def failed_commit(first_seq: int, items: list[Item], error: Exception) -> Commit:
    """The inputs at the positions that they would have had, and CoreFailed as a fact of the last one."""
    ticks: list[tuple[int, TickBatch]] = []
    events: list[Event] = []
    seq, core_ns = first_seq, 0
    for item in items:
        if isinstance(item, Input):
            events.append(Event(seq, 0, item.ts_event_ns, item.ts_received_ns, item.source, item.body))
            seq, core_ns = seq + 1, item.ts_received_ns
        elif len(item):
            ticks.append((seq, item))
            seq, core_ns = seq + len(item), int(item.ts_received_ns[-1])
    body = CoreFailed(repr(error), "".join(traceback.format_exception(error)))
    events.append(Event(seq - 1, 1, core_ns, core_ns, "", body))
    return Commit(first_seq, seq - 1, tuple(ticks), tuple(events), BarRows.empty())
