"""How much the core takes at once."""

CORE_S_MAX = 0.25
ROWS_MIN = 256


class Portion:
    """As many rows as the core lately worked off in CORE_S_MAX: so long an operator's word may have to wait for it.

    Where batches are cut changes nothing that is decided.
    """

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self.rows = min(ROWS_MIN, rows_max)

    def learn(self, rows: int, took_s: float) -> None:
        """The core took so long for so many rows."""
        if rows and took_s > 0:
            self.rows = min(max(int(rows / took_s * CORE_S_MAX), ROWS_MIN), self._rows_max)
