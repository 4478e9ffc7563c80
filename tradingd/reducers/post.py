"""What a fill does to money: the facts that follow it."""

from collections.abc import Sequence

from tradingd.events import AccountChanged, OrderFilled, PositionChanged
from tradingd.grid import grid_of
from tradingd.instruments import Instrument
from tradingd.kernels.posting import checked, notional_units, post_fill
from tradingd.reducers.ledger import Ledger, Position

REALIZED, FEE = "realized", "fee"
FINANCING = ("borrow", "funding", "interest")  # by the kinds of kernels.financing; an instrument's id may follow


def post(
    ledger: Ledger, instruments: Sequence[Instrument], fill: OrderFilled
) -> tuple[PositionChanged | AccountChanged, ...]:
    """The position after the fill, then the account after realised profit and after the fee; none for an amount of 0.

    Call it before these facts are applied. Raises OverflowError where an amount does not fit.
    """
    instrument = instruments[fill.instrument]
    account = ledger.accounts[instrument.currency]
    position = ledger.positions.get(fill.instrument, Position())
    notional = checked(notional_units(fill.last_px, fill.last_qty, instrument.multiplier, account.units_per_one))
    fill_lots = fill.side.sign * grid_of(instrument.lot_size).nearest(fill.last_qty)
    lots, cost, realized = post_fill(position.lots, position.cost, fill_lots, notional)
    changes = ((REALIZED, checked(realized)), (FEE, -fill.fee))
    return (
        PositionChanged(instrument=fill.instrument, lots=lots, cost=cost, realized=realized),
        *_postings(instrument.currency, account.balance, changes),
    )


def _postings(currency: str, balance: int, changes: Sequence[tuple[str, int]]) -> list[AccountChanged]:
    posted = []
    for reason, change in changes:
        if change:
            balance += change
            posted.append(AccountChanged(currency=currency, balance=balance, change=change, reason=reason))
    return posted
