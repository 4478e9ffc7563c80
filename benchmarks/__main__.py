"""All benchmarks, one process after another.

make bench            the short form, some five minutes
python -m benchmarks --full     the ten-minute paced run and ten million ticks too
"""

import subprocess
import sys

SHORT = (
    ("bars", "10000000"),
    ("backtest",),
    ("depth",),
    ("journal",),
    ("throughput", "3"),
    ("startup", "1000000"),
    ("latency", "60"),
)
FULL = (
    ("bars", "10000000"),
    ("backtest",),
    ("depth",),
    ("journal",),
    ("throughput", "5"),
    ("startup", "10000000"),
    ("latency", "600"),
)


def main() -> None:
    for name, *words in FULL if "--full" in sys.argv else SHORT:
        print(f"--- {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *words], check=True)


if __name__ == "__main__":
    main()
