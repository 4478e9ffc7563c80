"""Lines of `<receive time, ns> <frame>` as columns that are still to be filled from the frames."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tradingd.feeds.rows import REJECTED, TEXT_CHARS_MAX, UNKNOWN_NS, Columns, Rejection, empty_columns, filled_times

TIME_DIGITS_MAX = 19
TIME_NS_MAX = 2**63 - 1


class Chunk:
    """Some lines of one file. `last_ns` is the last receive time known before them, if any was.

    A row without a receive time is given the last one known, and is rejected.
    """

    def __init__(self, lines: Sequence[bytes], *, file: int, first_line: int, last_ns: int | None) -> None:
        self.rejected: dict[int, Rejection] = {}
        self.columns: Columns = empty_columns(len(lines))
        self.columns["file"][:] = file
        self.columns["line"] = np.arange(first_line, first_line + len(lines))
        times, self.payloads = _split(lines)
        self.columns["payload"] = _objects(self.payloads)
        self.columns["ts_received_ns"] = filled_times(np.array(times, np.int64), last_ns)
        self.columns["ts_event_ns"] = self.columns["ts_received_ns"].copy()
        for row in np.flatnonzero(np.array(times, np.int64) == UNKNOWN_NS).tolist():
            self.reject(row, "no receive time before the frame" if lines[row] else "empty line")

    def reject(self, row: int, reason: str) -> None:
        self.columns["kind"][row] = REJECTED
        self.rejected[row] = frame_rejection(self.payloads[row], reason)


def frame_rejection(payload: bytes, reason: str) -> Rejection:
    return Rejection(reason, frame_text(payload))


def frame_text(payload: bytes) -> str:
    return payload[: 4 * TEXT_CHARS_MAX].decode("utf-8", "backslashreplace")


def _split(lines: Sequence[bytes]) -> tuple[list[int], list[bytes]]:
    """Receive times (UNKNOWN_NS where a line does not begin with one) and frames (then the whole line)."""
    times: list[int] = []
    payloads: list[bytes] = []
    for line in lines:
        head, _, payload = line.partition(b" ")
        time_ns = int(head) if head.isdigit() and len(head) <= TIME_DIGITS_MAX else UNKNOWN_NS
        known = 0 <= time_ns <= TIME_NS_MAX
        times.append(time_ns if known else UNKNOWN_NS)
        payloads.append(payload if known else line)
    return times, payloads


def _objects(payloads: list[bytes]) -> npt.NDArray[np.object_]:
    column = np.empty(len(payloads), object)
    column[:] = payloads
    return column
