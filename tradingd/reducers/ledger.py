"""The ledger: what facts add up to. Mutable, and wholly plain data, so that msgspec can write and read it."""

from collections.abc import Sequence

from msgspec import Struct

from tradingd.events import Decision, FeedState, OrderRequested, OrdStatus, Signal
from tradingd.instruments import AccountSettings

CLOSED_MAX = 1024  # newest closed orders that are remembered by id
RECENT_MAX = 256  # newest requests that are remembered with their times


class Order(Struct, gc=False):
    """An open order. `ordinal` counts orders from 1 in the order of their requests, over all runs."""

    ordinal: int
    parent: int  # ordinal of the order whose bracket this one is; 0 = none
    request: OrderRequested
    status: OrdStatus
    lots: int
    filled_lots: int = 0

    @property
    def leaves_lots(self) -> int:
        return self.lots - self.filled_lots


class ClosedOrder(Struct, gc=False):
    ordinal: int
    status: OrdStatus


class Position(Struct):
    """lots: signed; cost: signed sum of the notional of what is open; realized: so far, before fees."""

    lots: int = 0
    cost: int = 0
    realized: int = 0


class Account(Struct):
    """balance = opening + sum of `postings`, which are summed by their reason."""

    opening: int
    balance: int
    units_per_one: int
    postings: dict[str, int] = {}


class Halt(Struct, frozen=True):
    text: str
    by: str


class Recent(Struct, frozen=True, gc=False):
    ts_ns: int
    order: OrderRequested


class Run(Struct, frozen=True):
    journal_id: str
    epoch: int
    sources: tuple[str, ...]


class Ledger(Struct):
    orders: dict[str, Order] = {}  # open ones by ClOrdID, in the order of their requests
    closed: dict[str, ClosedOrder] = {}  # the newest CLOSED_MAX
    closed_counts: dict[str, int] = {}  # all of them, by status
    order_count: int = 0
    recent: list[Recent] = []  # the newest RECENT_MAX requests or a few more, oldest first
    positions: dict[int, Position] = {}  # by instrument index
    accounts: dict[str, Account] = {}  # by currency
    fills: int = 0
    refusals: dict[str, int] = {}  # by rule
    halts: dict[str, Halt] = {}  # latched, by rule
    limits: dict[str, float | None] = {}  # changed while running, by rule
    anomalies: int = 0
    signals: dict[str, dict[int, Signal]] = {}  # newest by strategy and instrument
    decisions: dict[int, Decision] = {}  # newest by instrument
    feeds: dict[str, FeedState] = {}
    late_ticks: int = 0
    gaps: int = 0
    cursors: dict[str, int] = {}  # rows taken from each source, rejected ones too
    run: Run | None = None

    def lots(self, instrument: int) -> int:
        """Signed lots of the position; 0 where there never was one."""
        position = self.positions.get(instrument)
        return position.lots if position else 0

    def count_rows(self, source: str, rows: int) -> None:
        """`rows` more were taken from `source`: where it goes on after a restart."""
        self.cursors[source] = self.cursors.get(source, 0) + rows


def open_ledger(accounts: Sequence[AccountSettings]) -> Ledger:
    """An empty ledger with the opening balances. Raises ValueError for a balance finer than its unit."""
    return Ledger(
        accounts={
            a.currency: Account(opening=a.balance_units, balance=a.balance_units, units_per_one=a.units_per_one)
            for a in accounts
        }
    )


def open_accounts(ledger: Ledger, accounts: Sequence[AccountSettings]) -> None:
    """Opens those that the ledger does not have; what it has stays as it is."""
    for currency, account in open_ledger(accounts).accounts.items():
        ledger.accounts.setdefault(currency, account)
