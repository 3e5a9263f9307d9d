"""Error of the mesh path for every kernel family, at the default order and oversampling or at others.

python -m ccnn_geo.experiments.benchmarks.mesh_accuracy [--oversampling 2.0] [--order 6]
"""

from __future__ import annotations

import argparse
import statistics

import torch

from ccnn_geo.experiments.benchmarks.timing import machine
from ccnn_geo.functional.mesh.band import OVERSAMPLING
from ccnn_geo.functional.mesh.conv import ORDER, mesh_error
from ccnn_geo.kernels import KERNELS
from ccnn_geo.kernels.continuous import ContinuousKernel

WINDOWS = {"tapered": 0.1, "gaussian": 1e-4}
"""Windows that end without a jump, with their thresholds."""


def main(argv: list[str] | None = None, points: int = 600, seeds: tuple[int, ...] = (0, 1)) -> None:
    """Prints relative l2 errors on random clouds of the unit sphere, the worst of all seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--oversampling", type=float, default=OVERSAMPLING)
    parser.add_argument("--order", type=int, default=ORDER)
    args = parser.parse_args(argv)
    print(f"{machine()}\n{points} points, C=16, omega_0=0.25, sigma 0.3, {vars(args)}")
    errors = []
    for family in KERNELS:
        cells = []
        for window, threshold in WINDOWS.items():
            for dim in (1, 2, 3):
                worst = max(_error(family, window, threshold, dim, points, seed, args) for seed in seeds)
                errors.append(worst)
                cells.append(f"{window} {dim}-D {worst:.1e}")
        print(f"{family:16s} {'  '.join(cells)}", flush=True)
    print(f"median {statistics.median(errors):.1e}, worst {max(errors):.1e}")


def _error(
    family: str, window: str, threshold: float, dim: int, points: int, seed: int, args: argparse.Namespace
) -> float:
    torch.manual_seed(seed)
    kernel = ContinuousKernel(
        dim, 16, omega_0=0.25, kernel=family, window=window, window_init=0.3, window_threshold=threshold
    )
    pos = torch.randn(points, dim)
    pos = torch.nn.functional.normalize(pos, dim=1) if dim > 1 else torch.rand(points, 1) * 2 - 1
    options = {"oversampling": args.oversampling, "order": args.order, "samples": 50}
    return mesh_error(torch.randn(points, 16), pos, None, kernel, **options)


if __name__ == "__main__":
    main()
