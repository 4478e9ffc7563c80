"""What the core remembers besides the ledger: bars in progress, strategies, the simulated venue, risk's marks.

All of it can be rebuilt by re-executing recorded inputs; a snapshot only saves the time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any

import numpy as np

from tradingd.columns import BAR, F64, I64, TIMEFRAMES, BarArray, parent_level
from tradingd.core.instants import intervals_of
from tradingd.core.settings import CoreSettings
from tradingd.instruments import AccountSettings, Instrument, PriceSource
from tradingd.kernels import scan as k
from tradingd.kernels.bars import WORK
from tradingd.kernels.calls import new_wishes
from tradingd.kernels.closing import NEVER
from tradingd.kernels.market import Market
from tradingd.kernels.slots import SLOT
from tradingd.risk.context import RiskState
from tradingd.risk.exchange import Exchange, exchange_of
from tradingd.simulation.state import Terms, VenueState, terms_of
from tradingd.strategies.contract import (
    CompiledInstance,
    CompiledStrategy,
    PythonInstance,
    PythonStrategy,
    check_legs,
)
from tradingd.strategies.settings import StrategySettings

Records = np.ndarray[Any, Any]
Loaded = CompiledStrategy | type[PythonStrategy]
Library = Mapping[str, Loaded]  # loaded strategies and exits by kind

BAR_ROOM = 4096
LATE_ROOM = 1024


@dataclass(slots=True)
class Slot:
    """One strategy on one instrument. Of a strategy of several instruments the first one's slot holds it."""

    strategy: str
    instrument: int
    timeframe: int
    instance: CompiledInstance | PythonInstance | None
    exits: tuple[CompiledInstance | PythonInstance, ...]
    warmup_bars: int
    legs: int  # instruments of the strategy's step
    leg: int  # which of them this is

    @property
    def instances(self) -> tuple[CompiledInstance | PythonInstance, ...]:
        """All that has a state of its own."""
        return self.exits if self.instance is None else (self.instance, *self.exits)


@dataclass(slots=True)
class Scratch:
    """Output room of the scan; drained before `advance` returns, so it is no state."""

    bars: BarArray
    bar_seq: I64
    bar_n: I64
    late: I64  # (rows, 5): seq, n, core_ns, instrument, closed_ns


def scratch_for(instruments: int) -> Scratch:
    """Room for twice the bars that one row can close, and more."""
    room = max(BAR_ROOM, 2 * len(TIMEFRAMES) * (instruments + 1))
    seq, n = np.zeros(room, np.int64), np.zeros(room, np.int64)
    return Scratch(np.zeros(room, BAR), seq, n, np.zeros((LATE_ROOM, 5), np.int64))


@dataclass(slots=True)
class Memory:
    cursor: Records
    instruments: Records
    work: Records
    watched: Records
    slots: Records
    wishes: Records
    told: Records
    leg_slots: I64  # legs of a strategy stand one after another
    leg_bars: BarArray
    leg_outs: Records
    market: Market
    venue: VenueState
    terms: Terms
    risk: RiskState
    slot_of: I64
    steps: I64
    zone_from_ns: I64
    zone_offset_s: I64
    intervals_ns: tuple[int, ...]
    expiries_ns: tuple[tuple[int, int], ...]  # of the instruments that expire, with their index
    table: list[Slot]
    exchange: Exchange
    rates: frozenset[int]  # instruments whose price converts a currency
    scratch: Scratch
    places: I64 = field(init=False)  # of all arrays that the scan works on, which stay where they are
    clock: I64 = field(init=False)  # the cursor's core_ns
    retry_ns: I64 = field(init=False)  # of instruments

    def __post_init__(self) -> None:
        self.clock, self.retry_ns = self.cursor["core_ns"], self.instruments["retry_ns"]
        x, room = self.market, self.scratch
        self.places = k.places_of(
            self.cursor, self.instruments, self.work, self.watched, self.slots, self.slot_of, self.steps, self.wishes,
            self.told, self.leg_slots, self.leg_bars, self.leg_outs, self.zone_from_ns, self.zone_offset_s, x.last,
            x.last_size, x.bid, x.bid_size, x.ask, x.ask_size, x.ts_received_ns, x.phase, room.bars, room.bar_seq,
            room.bar_n, room.late,
        )  # fmt: skip

    @property
    def core_ns(self) -> int:
        return self.clock.item()


# the arrays that a snapshot keeps; the rest follows from the settings
STATEFUL = ("cursor", "instruments", "work", "watched", "slots", "wishes", "told", "leg_bars", "leg_outs")


def build_memory(settings: CoreSettings, library: Library, venue: VenueState, risk: RiskState) -> Memory:
    """Fresh memory. Raises StrategyError for parameters that a strategy does not take."""
    zone_from, zone_offset, zone_ranges = _zones(settings.instruments)
    instruments = np.zeros(len(settings.instruments), k.INSTRUMENT)
    for row, instrument in enumerate(settings.instruments):
        _fill_instrument(instruments[row], settings, instrument, zone_ranges[row])
    table = _slots(settings, library)
    leg_slots = _leg_slots(table)
    slots, steps = _slot_records(table, leg_slots)
    cursor = np.zeros(1, k.CURSOR)
    cursor["bar_due_ns"] = cursor["timer_ns"] = NEVER
    cursor["grace_ns"] = settings.bars.grace_ms * 1_000_000
    watched = np.zeros(len(settings.accounts), k.WATCHED)
    watched["floor"], watched["required"] = -np.inf, -np.inf
    watched["drawdown"], watched["peak"] = np.inf, np.nan
    wishes = new_wishes(len(table))
    exchange = exchange_of(settings.accounts, settings.instruments)
    return Memory(
        cursor=cursor,
        instruments=instruments,
        work=np.zeros((len(instruments), len(TIMEFRAMES)), WORK),
        watched=watched,
        slots=slots,
        wishes=wishes,
        told=wishes["final"].copy(),
        leg_slots=leg_slots,
        leg_bars=np.zeros(len(leg_slots), BAR),
        leg_outs=new_wishes(len(leg_slots))["own"].copy(),
        market=Market.empty(len(instruments)),
        venue=venue,
        terms=terms_of(settings.simulation, settings.instruments, settings.accounts),
        risk=risk,
        slot_of=_slot_index(table, len(instruments)),
        steps=steps,
        zone_from_ns=zone_from,
        zone_offset_s=zone_offset,
        intervals_ns=intervals_of(settings.instruments, settings.accounts),
        expiries_ns=tuple((index, i.expires_ns) for index, i in enumerate(settings.instruments) if i.expires),
        table=table,
        exchange=exchange,
        rates=frozenset(converted.instrument for converted in exchange.values()),
        scratch=scratch_for(len(instruments)),
    )


def _fill_instrument(record: Any, settings: CoreSettings, instrument: Instrument, zone: tuple[int, int]) -> None:
    used = settings.timeframes_of(instrument.id)
    tick = Fraction(str(instrument.tick_size))
    record["by_mid"] = instrument.price_source is PriceSource.MID
    record["base"] = used[0]
    for position, timeframe in enumerate(used):
        level = parent_level(instrument.session, timeframe, used[:position])
        if level is None and position:
            raise ValueError(f"{instrument.id}: no timeframe in use divides the session of its 1d bars; add 1m")
        record["active"][timeframe] = 1
        record["parent"][timeframe] = k.NO_PARENT if level is None else used[level]
    record["open_s"], record["length_s"] = instrument.session.open_s, instrument.session.length_s
    record["zone_start"], record["zone_stop"] = zone
    record["tick_num"], record["tick_den"] = tick.numerator, tick.denominator
    record["to_ask"], record["to_bid"] = instrument.half_ticks_to(1), instrument.half_ticks_to(-1)
    record["limited"] = settings.simulation.volume_share is not None
    record["closed_ns"] = np.iinfo(np.int64).min
    record["touch_low"], record["touch_high"] = -np.inf, np.inf
    record["account"] = _account_of(settings.accounts, instrument.currency)
    record["maintenance"] = instrument.margin.maintenance_rate
    record["retry_ns"] = NEVER


def _account_of(accounts: Sequence[AccountSettings], currency: str) -> int:
    """Row of the account that a currency counts in."""
    rows = {account.currency: row for row, account in enumerate(accounts)}
    conversion = accounts[rows[currency]].conversion
    return rows[currency if conversion is None else conversion.into]


def _zones(instruments: tuple[Instrument, ...]) -> tuple[I64, I64, list[tuple[int, int]]]:
    """All transitions one after another, and each instrument's range in them."""
    pairs: list[tuple[int, int]] = []
    ranges = []
    for instrument in instruments:
        start = len(pairs)
        pairs.extend(instrument.session.utc_offsets)
        ranges.append((start, len(pairs)))
    columns = np.array(pairs, np.int64).reshape(-1, 2)
    return np.ascontiguousarray(columns[:, 0]), np.ascontiguousarray(columns[:, 1]), ranges


def _slots(settings: CoreSettings, library: Library) -> list[Slot]:
    """Slots by instrument, then timeframe, then the order of the config."""
    ids = [instrument.id for instrument in settings.instruments]
    slots = [slot for strategy in settings.strategies for slot in _slots_of(strategy, library, ids)]
    return sorted(slots, key=lambda slot: (slot.instrument, slot.timeframe))


def _slots_of(strategy: StrategySettings, library: Library, ids: list[str]) -> Iterator[Slot]:
    kind = library[strategy.kind]
    check_legs(kind, len(strategy.instruments))
    for leave in strategy.exits:
        check_legs(library[leave.kind], 1)
    for n, instrument in enumerate(strategy.instruments):
        instance = kind.instantiate(strategy.params)
        yield Slot(
            strategy=strategy.name,
            instrument=ids.index(instrument),
            timeframe=TIMEFRAMES.index(strategy.timeframe),
            instance=instance if kind.legs == 1 or n == 0 else None,
            exits=tuple(library[leave.kind].instantiate(leave.params) for leave in strategy.exits),
            warmup_bars=instance.warmup_bars,
            legs=kind.legs,
            leg=n if kind.legs > 1 else 0,
        )


def _slot_records(table: list[Slot], leg_slots: I64) -> tuple[Records, I64]:
    records = np.zeros(len(table), SLOT)
    rows: list[tuple[int, int, int]] = []
    for record, slot in zip(records, table, strict=True):
        record["instrument"], record["timeframe"], record["legs"] = slot.instrument, slot.timeframe, slot.legs
        record["python"] = isinstance(slot.instance, PythonInstance)
        record["warmup"] = slot.warmup_bars - 1
        record["steps_start"] = len(rows)
        rows.extend(instance.row for instance in slot.instances if isinstance(instance, CompiledInstance))
        record["steps_stop"] = len(rows)
        record["exits_start"] = len(rows) - len(slot.exits)
    for leg, row in enumerate(leg_slots.tolist()):
        records[row]["leg"], records[row]["first_leg"] = leg, leg - table[row].leg
    return records, np.array(rows, np.int64).reshape(-1, 3)


def _leg_slots(table: list[Slot]) -> I64:
    """Slots of strategies of several instruments, the legs of each one after another."""
    rows = (row for row, slot in enumerate(table) if slot.legs > 1)
    return np.array(sorted(rows, key=lambda row: (table[row].strategy, table[row].leg)), np.int64)


def _slot_index(table: list[Slot], instruments: int) -> I64:
    """slot_of[cell] .. slot_of[cell + 1] are the slots of (instrument, timeframe) cell."""
    cells = [slot.instrument * len(TIMEFRAMES) + slot.timeframe for slot in table]
    counts = np.bincount(cells, minlength=instruments * len(TIMEFRAMES)) if cells else np.zeros(instruments * 8, int)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def memory_arrays(memory: Memory) -> dict[str, Records]:
    """The arrays that are state, the market's among them, by name."""
    arrays: dict[str, Records] = {name: getattr(memory, name) for name in STATEFUL}
    market: dict[str, F64 | I64] = {f.name: getattr(memory.market, f.name) for f in fields(memory.market)}
    return arrays | {f"market.{name}": values for name, values in market.items()}
