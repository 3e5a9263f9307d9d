"""Compares two checkouts: processor time of the same steps, in turns, as ratios.

    git worktree add --detach /tmp/before REVISION
    python -m ccnn_geo.experiments.benchmarks.bench_pairs /tmp/before [--cases points evaluation] [--pairs 8]

Each measurement is a separate process with one thread; the order changes from pair to pair.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ccnn_geo.experiments.benchmarks.timing import machine

POINTS = """
settings = dict(omega_0=0.5, window_init=0.3, num_neighbors=16)
model = CCNN.from_preset({preset!r}, dim=3, in_channels=6, out_channels=10, **settings)
x, pos = torch.randn({clouds} * 256, 6), torch.rand({clouds} * 256, 3)
batch = torch.arange({clouds}).repeat_interleave(256)
"""
STEP = "def step(): model(x, pos, batch).sum().backward()\n"
GRID = "def step(): model(x).sum().backward()\n"
CASES = {
    "points": POINTS.format(preset="ccnn_4_16", clouds=16) + STEP,
    "wide": POINTS.format(preset="ccnn_4_140", clouds=8) + STEP,
    "evaluation": POINTS.format(preset="ccnn_4_16", clouds=4)
    + "model(x, pos, batch)\nmodel.eval()\n@torch.no_grad()\ndef step(): model(x, pos, batch)\n",
    "images": "model = CCNN.from_preset('ccnn_4_16', dim=2, in_channels=3, out_channels=10, omega_0=50.0)\n"
    "x = torch.randn(8, 3, 28, 28)\n" + GRID,
    "sequence_layer": "model = SepFlexConv(16, 16, dim=1, omega_0=100.0, causal=True)\n"
    "x = torch.randn(4, 16, 128)\n" + GRID,
}
"""Programs that define ``step``, with names that are public in both checkouts."""

PROGRAM = """
import sys, time
sys.meta_path = [f for f in sys.meta_path if "Editable" not in repr(f)]  # the checkout, and not what is installed
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
torch.manual_seed(0)
from ccnn_geo import CCNN, SepFlexConv
import ccnn_geo
assert ccnn_geo.__file__.startswith(sys.argv[1]), ccnn_geo.__file__
{case}
seconds, end = [], time.process_time() + {budget}
for _ in range(3):
    step()
while time.process_time() < end:
    start = time.process_time()
    step()
    seconds.append(time.process_time() - start)
print(sorted(seconds)[len(seconds) // 2])
"""


def step_seconds(checkout: Path, case: str, budget: float) -> float:
    """Median processor time of a step of a case, in a fresh process that imports from a checkout.

    Raises:
        RuntimeError: If it fails there.
    """
    program = PROGRAM.format(case=CASES[case], budget=budget)
    command = [sys.executable, "-W", "ignore", "-c", program, str(checkout)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/", check=False)
    if done.returncode:
        raise RuntimeError(
            f"{checkout}: {case} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
        )
    return float(done.stdout)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the median, the lowest and the highest ratio of each case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument(
        "--now", type=Path, default=Path(__file__).resolve().parents[2], help="default: this checkout"
    )
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0, help="processor time of a measurement")
    options = parser.parse_args(argv)
    before, now = options.before.resolve(), options.now.resolve()
    print(machine())
    for case in options.cases:
        ratios = []
        for number in range(options.pairs):
            found = {
                root: step_seconds(root, case, options.seconds)
                for root in ((before, now)[:: 1 - 2 * (number % 2)])
            }
            ratios.append(found[now] / found[before])
        span = f"{min(ratios):.3f} to {max(ratios):.3f}"
        print(f"{case}: {statistics.median(ratios):.3f} of the time before ({span})", flush=True)


if __name__ == "__main__":
    main()
