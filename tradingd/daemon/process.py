"""What a process that trades asks of its interpreter."""

import gc
import sys

SWITCH_INTERVAL_S = 0.0005
YOUNG_OBJECTS_MAX = 10_000  # before they are looked at; what the core drops goes by its reference counts


def prefer_latency() -> None:
    """For a process with one daemon that is prepared: a full collection would look at all compiled code (100 ms), and
    a thread that reads a checkpoint back would keep the core waiting for 5 ms each time.
    """
    collect_less()
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def collect_less() -> None:
    """For a process that now begins to execute many events: what is loaded by now is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX)
