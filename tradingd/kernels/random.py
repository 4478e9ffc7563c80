"""Random numbers whose whole state is one u8 in a record: seeded, the same on every machine.

splitmix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
"""

import numpy as np

from tradingd.kernels.compile import kernel

GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
S11, S27, S30, S31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)
UNIT = 1.0 / (1 << 53)


@kernel
def splitmix64(state: np.uint64) -> tuple[np.uint64, np.uint64]:
    """(next state, 64 random bits). Seeds need no mixing: 0, 1, 2 ... give unrelated sequences."""
    state = state + GAMMA
    bits = (state ^ (state >> S30)) * MIX_1
    bits = (bits ^ (bits >> S27)) * MIX_2
    return state, bits ^ (bits >> S31)


@kernel
def uniform(bits: np.uint64) -> float:
    """64 random bits as a number in [0, 1), a multiple of 2**-53."""
    return np.float64(bits >> S11) * UNIT
