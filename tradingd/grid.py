"""Prices on ticks and quantities on lots: counts are integers, and a count has exactly one float."""

import math
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct


class Grid(Struct, frozen=True):
    """Multiples of a step that is the fraction numerator / denominator, taken from the step's decimal text.

    The float of k steps is the double nearest to the exact decimal, which `k * 0.01` is not.
    """

    numerator: int
    denominator: int

    def value(self, count: int) -> float:
        """The canonical float of `count` steps."""
        return count * self.numerator / self.denominator

    def nearest(self, value: float) -> int:
        """The count of steps nearest to `value`; ties go to the even count."""
        return round(value * self.denominator / self.numerator)

    def floor(self, value: float) -> int:
        """The largest count whose value is not above `value`."""
        count = self.nearest(value)
        return count - 1 if self.value(count) > value else count

    def ceil(self, value: float) -> int:
        """The smallest count whose value is not below `value`."""
        count = self.nearest(value)
        return count + 1 if self.value(count) < value else count

    def holds(self, value: float) -> bool:
        """Whether `value` is a canonical float of this grid."""
        return math.isfinite(value) and self.value(self.nearest(value)) == value


@lru_cache(maxsize=4096)
def grid_of(step: float) -> Grid:
    """The grid of a tick or lot size: 0.01 means exactly one hundredth."""
    numerator, denominator = Decimal(repr(step)).as_integer_ratio()
    return Grid(numerator, denominator)


def money_text(units: int, units_per_one: int) -> str:
    """Whole units of money as decimal text, without needless zeros: 98250000 of 1000000 is "98.25"."""
    return f"{(Decimal(units) / units_per_one).normalize():f}"
