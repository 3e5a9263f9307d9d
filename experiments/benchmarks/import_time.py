"""Time that importing this package takes, beside torch-geometric, which it needs.

    python -m ccnn_geo.experiments.benchmarks.import_time [--repeats 7]

Each import is a fresh process, in turns; the median of its processor time counts.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence

PACKAGES = ("torch", "torch_geometric", "ccnn_geo", "ccnn_geo.cli")
TIMED = "import time\nimport {}\nprint(time.process_time())"


def import_seconds(packages: Sequence[str], repeats: int) -> dict[str, float]:
    """Median seconds of the processor from the start of Python to the end of an import, for each package."""
    found: dict[str, list[float]] = {package: [] for package in packages}
    for _ in range(repeats):
        for package, seconds in found.items():
            command = [sys.executable, "-c", TIMED.format(package)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds.append(float(done.stdout))
    return {package: statistics.median(seconds) for package, seconds in found.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command with these arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    seconds = import_seconds(PACKAGES, parser.parse_args(argv).repeats)
    for package, taken in seconds.items():
        print(f"{package:<16} {taken:5.2f} s  {taken / seconds['torch_geometric']:4.2f}x")


if __name__ == "__main__":
    main()
