"""Time to import this package, beside torch-geometric, which it needs.

    python -m ccnn_geo.experiments.benchmarks.import_time [--repeats 7]

Each import runs in a fresh process, in turns; the median of its processor time counts. Bytecode is kept between them,
as for users: without it (``PYTHONDONTWRITEBYTECODE``) Python compiles each file again, which takes as long again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence

PACKAGES = ("torch", "torch._dynamo", "torch_geometric", "ccnn_geo", "ccnn_geo.cli")
TIMED = "import time\nimport {}\nprint(time.process_time())"
ON_TOP = ("from ccnn_geo import CCNN, SepFlexConv", "from ccnn_geo import *")
"""Imports to time in a process that has imported torch-geometric."""

TIMED_ON_TOP = (
    "import time, torch_geometric\nstart = time.process_time()\n{}\nprint(time.process_time() - start)"
)


def median_seconds(programs: Mapping[str, str], repeats: int) -> dict[str, float]:
    """Median of the seconds that each program prints; the first run of each writes bytecode, and does not count.

    Args:
        programs: Source text by name.
        repeats: Processes for each.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    found: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(repeats + 1):
        for name, program in programs.items():
            command = [sys.executable, "-c", program]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            found[name].append(float(done.stdout))
    return {name: statistics.median(seconds[1:]) for name, seconds in found.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command with these arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    programs = {package: TIMED.format(package) for package in PACKAGES}
    programs |= {statement: TIMED_ON_TOP.format(statement) for statement in ON_TOP}
    seconds = median_seconds(programs, parser.parse_args(argv).repeats)
    for package in PACKAGES:
        taken = seconds[package]
        print(f"{package:<16} {taken:5.2f} s  {taken / seconds['torch_geometric']:4.2f}x")
    for statement in ON_TOP:
        print(f"{statement}: {seconds[statement]:.3f} s on top of torch_geometric")


if __name__ == "__main__":
    main()
