"""What a process that trades asks of its interpreter."""

import gc
import sys

SWITCH_INTERVAL_S = 0.0005


def prefer_latency() -> None:
    """For a process with one daemon that is prepared: a full collection would look at all compiled code (100 ms), and
    a thread that reads a checkpoint back would keep the core waiting for 5 ms each time.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
