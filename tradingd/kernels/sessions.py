"""Session borders inside kernels: the same arithmetic as `instruments.Session.bounds`, over arrays."""

import numpy as np

from tradingd.columns import I64
from tradingd.kernels.compile import kernel

NS = 1_000_000_000
DAY_S = 86_400


@kernel
def offset_s(ts_ns: int, zone_from_ns: I64, zone_offset_s: I64) -> int:
    """Seconds that local time is ahead of UTC; 0 before the first transition."""
    index = np.searchsorted(zone_from_ns, ts_ns, side="right") - 1
    return int(zone_offset_s[index]) if index >= 0 else 0


@kernel
def session_bounds(ts_ns: int, open_s: int, length_s: int, zone_from_ns: I64, zone_offset_s: I64) -> tuple[int, int]:
    """(open_ns, close_ns) of the session that last opened at or before `ts_ns`, whatever the weekday."""
    local_s = ts_ns // NS + offset_s(ts_ns, zone_from_ns, zone_offset_s)
    open_local_s = (local_s - open_s) // DAY_S * DAY_S + open_s
    open_ns = utc_ns(open_local_s, zone_from_ns, zone_offset_s)
    return open_ns, utc_ns(open_local_s + length_s, zone_from_ns, zone_offset_s)


@kernel
def utc_ns(local_s: int, zone_from_ns: I64, zone_offset_s: I64) -> int:
    guess_ns = (local_s - offset_s(local_s * NS, zone_from_ns, zone_offset_s)) * NS
    return (local_s - offset_s(guess_ns, zone_from_ns, zone_offset_s)) * NS
