"""Lines of `<receive time, ns> <frame>` as columns that are still to be filled from the frames."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tradingd.columns import I64
from tradingd.feeds.rows import REJECTED, TEXT_CHARS_MAX, Columns, Rejection, empty_columns

TIME_DIGITS_MAX = 19
TIME_NS_MAX = 2**63 - 1
UNKNOWN = -1


class Chunk:
    """Some lines of one file. `last_ns` is the last receive time known before them, UNKNOWN where there was none.

    A row without a receive time is given the last one known, and is rejected.
    """

    def __init__(self, lines: Sequence[bytes], *, file: int, first_line: int, last_ns: int) -> None:
        self.rejected: dict[int, Rejection] = {}
        self.columns: Columns = empty_columns(len(lines))
        self.columns["file"][:] = file
        self.columns["line"] = np.arange(first_line, first_line + len(lines))
        times, self.payloads = _split(lines)
        self.columns["payload"] = _objects(self.payloads)
        self.columns["ts_received_ns"] = _filled(np.array(times, np.int64), last_ns)
        self.columns["ts_event_ns"] = self.columns["ts_received_ns"].copy()
        for row in np.flatnonzero(np.array(times, np.int64) == UNKNOWN).tolist():
            self.reject(row, "no receive time before the frame" if lines[row] else "empty line")

    def reject(self, row: int, reason: str) -> None:
        self.columns["kind"][row] = REJECTED
        self.rejected[row] = frame_rejection(self.payloads[row], reason)


def frame_rejection(payload: bytes, reason: str) -> Rejection:
    return Rejection(reason, payload[: 4 * TEXT_CHARS_MAX].decode("utf-8", "backslashreplace"))


def _split(lines: Sequence[bytes]) -> tuple[list[int], list[bytes]]:
    """Receive times (UNKNOWN where a line does not begin with one) and frames (then the whole line)."""
    times: list[int] = []
    payloads: list[bytes] = []
    for line in lines:
        head, _, payload = line.partition(b" ")
        time_ns = int(head) if head.isdigit() and len(head) <= TIME_DIGITS_MAX else UNKNOWN
        known = 0 <= time_ns <= TIME_NS_MAX
        times.append(time_ns if known else UNKNOWN)
        payloads.append(payload if known else line)
    return times, payloads


def _objects(payloads: list[bytes]) -> npt.NDArray[np.object_]:
    column = np.empty(len(payloads), object)
    column[:] = payloads
    return column


def _filled(times: I64, last_ns: int) -> I64:
    """Unknown times replaced by the last one known; at the very beginning of a file by the first."""
    known = times != UNKNOWN
    if known.all():
        return times
    if last_ns == UNKNOWN:
        last_ns = int(times[known][0]) if known.any() else 0
    newest = np.maximum.accumulate(np.where(known, np.arange(len(times)), -1))
    return np.where(newest < 0, last_ns, times[newest])
