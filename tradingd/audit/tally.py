"""What a journal or a re-execution of it comes to: counts, refusals by rule, money by instrument."""

from collections import Counter
from dataclasses import dataclass, field

from msgspec import Struct

from tradingd.audit.runs import Names
from tradingd.audit.words import in_words
from tradingd.commit import Commit
from tradingd.core.state import State
from tradingd.events import Event, Halted, OrderFilled, OrderRefused, PositionChanged
from tradingd.grid import money_text

Noted = OrderFilled | PositionChanged | OrderRefused | Halted
NOTED = (OrderFilled, PositionChanged, OrderRefused, Halted)


class Traded(Struct):
    """Of one instrument. Money as decimal text in its currency; a round trip leads from flat back to flat or across."""

    fills: int
    quantity: float
    round_trips: int
    realized: str
    fees: str
    currency: str


class Refused(Struct):
    """Of one rule, with the first refusal as an example."""

    count: int
    example: str
    seq: int
    n: int


class Money(Struct):
    opening: str
    balance: str
    equity: str


class HaltSeen(Struct):
    seq: int
    n: int
    text: str


class Summary(Struct):
    """`counts` are events by type, ticks and bars among them."""

    inputs: int
    counts: dict[str, int]
    traded: dict[str, Traded]
    refused: dict[str, Refused]
    halts: list[HaltSeen]
    accounts: dict[str, Money]


@dataclass(slots=True)
class _Trades:
    fills: int = 0
    quantity: float = 0.0
    lots: int = 0
    round_trips: int = 0
    realized: int = 0
    fees: int = 0


@dataclass(slots=True)
class Tally:
    """Adds up commits."""

    inputs: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    refused: dict[str, list[Event]] = field(default_factory=dict)
    halts: list[Event] = field(default_factory=list)
    trades: dict[int, _Trades] = field(default_factory=dict)

    def add(self, commit: Commit) -> None:
        self.inputs += commit.last_seq - commit.first_seq + 1
        self.counts["Tick"] += sum(len(batch) for _, batch in commit.ticks)
        self.counts["Bar"] += len(commit.bars)
        self.counts.update([type(event.body).__name__ for event in commit.events])
        for event in commit.events:
            if isinstance(event.body, NOTED):
                self._note(event, event.body)

    def _note(self, event: Event, body: Noted) -> None:
        match body:
            case OrderFilled():
                self._of(body.instrument).fills += 1
                self._of(body.instrument).quantity += body.last_qty
                self._of(body.instrument).fees += body.fee
            case PositionChanged():
                self._position(self._of(body.instrument), body)
            case OrderRefused():
                self.refused.setdefault(body.rule, []).append(event)
            case Halted():
                self.halts.append(event)

    def _of(self, instrument: int) -> _Trades:
        return self.trades.setdefault(instrument, _Trades())

    def _position(self, trades: _Trades, body: PositionChanged) -> None:
        if trades.lots and trades.lots * body.lots <= 0:
            trades.round_trips += 1
        trades.lots = body.lots
        trades.realized += body.realized

    def summary(self, names: Names, state: State | None) -> Summary:
        """With the money that the final state says, where there is one."""
        return Summary(
            inputs=self.inputs,
            counts=dict(sorted(self.counts.items())),
            traded={names.instrument(i): _traded(names, i, trades) for i, trades in sorted(self.trades.items())},
            refused={rule: _refused(names, events) for rule, events in sorted(self.refused.items())},
            halts=[HaltSeen(event.seq, event.n, in_words(event.body, names)) for event in self.halts],
            accounts=accounts(state) if state else {},
        )


def _traded(names: Names, index: int, trades: _Trades) -> Traded:
    currency = names.settings.instruments[index].currency
    units = names.units_per_one[currency]
    return Traded(
        fills=trades.fills,
        quantity=trades.quantity,
        round_trips=trades.round_trips,
        realized=money_text(trades.realized, units),
        fees=money_text(trades.fees, units),
        currency=currency,
    )


def _refused(names: Names, events: list[Event]) -> Refused:
    return Refused(len(events), in_words(events[0].body, names), events[0].seq, events[0].n)


def accounts(state: State) -> dict[str, Money]:
    context = state.risk_context()
    return {
        currency: Money(
            opening=money_text(account.opening, account.units_per_one),
            balance=money_text(account.balance, account.units_per_one),
            equity=money_text(context.equity(currency), account.units_per_one),
        )
        for currency, account in state.ledger.accounts.items()
    }
