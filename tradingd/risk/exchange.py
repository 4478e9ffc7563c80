"""Currencies that count in the account of another one, at the newest price of an instrument."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from tradingd.instruments import AccountSettings, Instrument
from tradingd.kernels.market import Market


class Converted(Struct, frozen=True):
    """into: currency of the account; instrument: index of what is priced."""

    into: str
    instrument: int
    inverse: bool

    def rate(self, market: Market) -> float:
        """What one unit of the currency is worth in the account's; NaN where no price is known yet, or one of 0."""
        price = float(market.last[self.instrument])
        if not self.inverse:
            return price
        return 1.0 / price if price else float("nan")


Exchange = Mapping[str, Converted]  # by currency; one that is not there counts in its own account


def exchange_of(accounts: Sequence[AccountSettings], instruments: Sequence[Instrument]) -> Exchange:
    """Raises ValueError for an instrument that is not there."""
    ids = [instrument.id for instrument in instruments]
    return {
        account.currency: Converted(told.into, ids.index(told.instrument), told.inverse)
        for account in accounts
        if (told := account.conversion) is not None
    }
