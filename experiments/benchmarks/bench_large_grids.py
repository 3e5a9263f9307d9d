"""The largest supported grids: a sequence of 2^20, an image of 1,024^2, a volume of 64^3.

    python -m ccnn_geo.experiments.benchmarks.bench_large_grids

For each grid it runs a depthwise layer of 16 channels, with the published window and with kernels as long as the grid,
and a training step of ``ccnn_4_16``. It prints seconds, peak memory above start, and for layers the error of the sum
over all samples against scipy's in float64. Each case runs in a fresh process.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.signal import fftconvolve

from ccnn_geo import CCNN, SepFlexConv
from ccnn_geo.experiments.benchmarks.sequence_layers import open_window
from ccnn_geo.experiments.benchmarks.timing import (
    forget_peak,
    forward_and_backward,
    machine,
    peak_above_start,
    peak_memory,
)
from ccnn_geo.kernels.config import PAPER

GRIDS = ("1048576", "1024x1024", "64x64x64")
WINDOWS = ("published", "as long as the grid")
CHANNELS = 16
MODULE = "ccnn_geo.experiments.benchmarks.bench_large_grids"


def build(size: Sequence[int], window: str, network: bool) -> tuple[torch.nn.Module, torch.Tensor]:
    """Returns a model and its input."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kwargs: dict[str, Any] = {"num_taps": math.prod(size), "causal": len(size) == 1, **PAPER}
    torch.manual_seed(0)
    if network:
        model, channels = CCNN.from_preset("ccnn_4_16", len(size), 3, 10, **kwargs), 3
    else:
        model, channels = SepFlexConv(CHANNELS, CHANNELS, len(size), **kwargs), CHANNELS
    if window != "published":
        for conv in model.modules():
            if isinstance(conv, SepFlexConv):
                open_window(conv)
    return model.to(device), torch.randn(1, channels, *size, device=device, requires_grad=not network)


def measure(size: Sequence[int], window: str, network: bool) -> dict[str, float]:
    """Seconds, megabytes, and for a layer the error, in this process."""
    forward_and_backward(*build([8] * len(size), window, network), repeats=0, seconds=0.0)  # loads libraries
    model, x = build(size, window, network)
    start = forget_peak()
    found = forward_and_backward(model, x, repeats=3, seconds=120.0)
    found["peak"] = peak_memory() - start
    if isinstance(model, SepFlexConv):
        found["error"] = error(model, x)
    return found


@torch.no_grad()
def error(conv: SepFlexConv, x: torch.Tensor) -> float:
    """Relative error of the first channel's sum over all taps, against kernels by the definition in float64."""
    rel, center = conv.kernel_taps(x.shape[2:])
    taps = (
        copy.deepcopy(conv.kernel).double().definition(rel.double().flatten(0, -2))[:, 0].view(rel.shape[:-1])
    )
    full = fftconvolve(x[0, 0].double().cpu().numpy(), taps.cpu().numpy())
    expected = full[tuple(slice(m, m + n) for m, n in zip(center, x.shape[2:], strict=True))]
    found = conv.aggregate_neighbors(x)[0, 0].double().cpu().numpy()
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a row per grid, window and model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grids", nargs="+", default=GRIDS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.case is not None:
        print(json.dumps(measure(*json.loads(args.case))))
        return
    print(machine())
    print(
        f"{'grid':>12s} {'kernel':>20s} {'model':>10s} {'forward':>10s} {'both':>10s} {'peak':>9s} {'error':>8s}"
    )
    for grid in args.grids:
        size = [int(n) for n in grid.split("x")]
        for window in WINDOWS:
            for network in (False, True):
                row = peak_above_start(MODULE, "--case", json.dumps([size, window, network]))
                wrong = f"{row['error']:8.1e}" if "error" in row else ""
                print(
                    f"{grid:>12s} {window:>20s} {'ccnn_4_16' if network else 'layer':>10s} "
                    f"{row['forward']:8.2f} s {row['both']:8.2f} s {row['peak']:6.0f} MB {wrong}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
