"""The depth replay from Python: settings and events in, fills, samples and counts out."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tradingd.backtesting.depth.events import DepthEvents
from tradingd.backtesting.depth.settings import DepthSettings
from tradingd.backtesting.errors import BacktestError
from tradingd.columns import F64
from tradingd.grid import grid_of
from tradingd.kernels import depth_replay as k
from tradingd.kernels.depth_book import BOOK
from tradingd.kernels.depth_quotes import MAKER, NO_ORDER
from tradingd.kernels.depth_records import FILL, NO_CELL, NO_SLOT, ORDER, REQUEST, TERMS, VENUE
from tradingd.strategies.contract import CompiledInstance

Records = np.ndarray[Any, Any]

ORDERS_ROOM = 64  # a power of two
FILLS_ROOM = 4096


@dataclass(frozen=True, slots=True)
class Executed:
    """What came out, in whole lots and units of money."""

    fills: Records  # of kernels.depth_records.FILL
    samples: Records  # of kernels.depth_replay.SAMPLE
    counts: dict[str, int]


def replay(settings: DepthSettings, events: DepthEvents, instance: CompiledInstance) -> Executed:
    """Raises BacktestError where an amount does not fit, or the maker wanted what is not allowed."""
    terms = _terms(settings, events)
    books, room, clock = (*_book(events), *_book(events)), Room(settings, terms), _clock(terms, events)
    maker, span_ns = _maker(instance, books[-1], terms), int(terms["end_ns"][0] - terms["start_ns"][0])
    samples = np.zeros(span_ns // settings.sample_ns + 3, k.SAMPLE)
    while True:
        reason = k.replay(events.rows, *books, room.venue, maker, clock, samples)
        if reason == k.FULL_FILLS:
            room.more_fills()
        elif reason == k.FULL_ORDERS:
            room.more_orders()
        else:
            break
    if reason != k.DONE:
        raise BacktestError(_why(reason, maker, int(clock["step_ns"][0])))
    counts = room.venue["counts"][0]
    named = {name: int(counts[name]) for name in counts.dtype.names}
    return Executed(room.fills[: named["fills"]], samples[: clock["samples"][0]], named)


class Room:
    """The VENUE record, and the arrays that it has the addresses of."""

    def __init__(self, settings: DepthSettings, terms: Records) -> None:
        self.orders, self.requests = np.zeros(ORDERS_ROOM, ORDER), np.zeros(2 * ORDERS_ROOM, REQUEST)
        self.fills = np.zeros(FILLS_ROOM, FILL)
        self.venue = np.zeros(1, VENUE)
        self.venue["terms"] = terms
        self.venue["account"]["balance"], self.venue["account"]["mark"] = settings.account.balance_units, np.nan
        self.venue["first_slot"] = self.venue["free_slot"] = NO_SLOT
        self.venue["lowest"], self.venue["highest"] = NO_CELL, -NO_CELL
        self._free(0)
        self._tell()

    def more_fills(self) -> None:
        self.fills = _longer(self.fills)
        self._tell()

    def more_orders(self) -> None:
        """Twice as many slots. Each can have two requests on their way, which keep their numbers."""
        before = self.requests
        self.orders, self.requests = _longer(self.orders), np.zeros(2 * len(before), REQUEST)
        numbers = np.arange(self.venue["first_request"][0], self.venue["next_request"][0])
        self.requests[numbers % len(self.requests)] = before[numbers % len(before)]
        self._free(len(self.orders) // 2)
        self._tell()

    def _free(self, first: int) -> None:
        """The slots from `first` on are free."""
        self.orders["next"][first:] = np.arange(first + 1, len(self.orders) + 1)
        self.orders["next"][-1] = self.venue["free_slot"][0]
        self.venue["free_slot"] = first
        self.venue["free"] += len(self.orders) - first

    def _tell(self) -> None:
        venue = self.venue
        venue["orders"], venue["requests"], venue["fills"] = (
            array.ctypes.data for array in (self.orders, self.requests, self.fills)
        )
        venue["requests_room"], venue["fills_room"] = len(self.requests), len(self.fills)


def _why(reason: int, maker: Records, now_ns: int) -> str:
    if reason == k.OVERFLOW:
        return f"at {now_ns} ns: an amount does not fit; give the account a coarser unit"
    wanted = maker["wanted"][0]
    said = ", ".join(f"{name}={wanted[name]}" for name in wanted.dtype.names)
    why = "the maker's step failed, or it wanted a size or price that can not be, or a bid at or above its ask"
    return f"at {now_ns} ns: {why}: {said}"


def _terms(settings: DepthSettings, events: DepthEvents) -> Records:
    instrument, venue, terms = settings.instrument, settings.venue, np.zeros(1, TERMS)
    ticks, lots, fees = grid_of(instrument.tick_size), grid_of(instrument.lot_size), instrument.fees
    terms[0] = (
        ticks.numerator, ticks.denominator, lots.numerator, lots.denominator, instrument.multiplier,
        settings.account.units_per_one, fees.maker_rate, fees.taker_rate, fees.per_unit, fees.minimum,
        instrument.negative_prices, venue.partial_fills, venue.queue.power, venue.entry_latency_ns,
        venue.response_latency_ns, settings.step_ns, settings.sample_ns,
        events.reach[0] - 1, events.ts_event_ns[0], events.ts_received_ns[-1],
    )  # fmt: skip
    return terms


def _book(events: DepthEvents) -> tuple[Records, F64]:
    """An empty one: pages of it that no event touches take no memory."""
    low, high = events.reach
    sizes = np.zeros(high - low + 3)
    sizes[0] = sizes[-1] = 1.0
    book = np.zeros(1, BOOK)
    book["ask"] = book["low"] = len(sizes) - 1
    return book, sizes


def _maker(instance: CompiledInstance, sizes: F64, terms: Records) -> Records:
    maker = np.zeros(1, MAKER)
    maker["step"], maker["state"], maker["params"] = instance.row
    view = maker["seen"]
    view["base"], view["cells"], view["sizes"] = terms["base"], len(sizes), sizes.ctypes.data
    maker["wanted"]["post_only"] = 1
    maker["known"]["slot"] = NO_ORDER
    return maker


def _clock(terms: Records, events: DepthEvents) -> Records:
    """The first step is an interval after the first event, or with the first message."""
    clock = np.zeros(1, k.CLOCK)
    interval_ns, start_ns = int(terms["interval_ns"][0]), int(terms["start_ns"][0])
    clock["step_ns"] = start_ns + interval_ns if interval_ns else int(events.ts_received_ns[0])
    clock["sample_ns"] = start_ns + int(terms["sample_ns"][0])
    return clock


def _longer(records: Records) -> Records:
    return np.concatenate([records, np.zeros_like(records)])
