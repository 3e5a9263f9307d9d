"""Values and gradients of every path on the device, against the CPU's."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ccnn_geo import CCNN, PointPlan
from ccnn_geo.experiments.gpu_check.check import Check, relative, step
from ccnn_geo.neighbors import build_neighbors

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
"""Largest relative error of values; gradients may have ten times as much."""
NETWORK: Mapping[str, Any] = {"hidden_channels": 12, "num_blocks": 1, "kernel_hidden": 8, "omega_0": 0.5}
POINTS: Mapping[str, Mapping[str, Any]] = {
    "edges, MAGNet": {"num_neighbors": 16, "kernel": "magnet", "window_init": 0.4},
    "edges, SIREN": {"num_neighbors": 16, "kernel": "siren", "window_init": 0.4},
    "edges, Fourier": {"num_neighbors": 16, "kernel": "fourier", "window_init": 0.4},
    "edges, dense kernels": {"num_neighbors": 16, "block": "flex", "window_init": 0.4},
    "density, mean and maximum": {
        "num_neighbors": 16,
        "measure": "density",
        "pool": "mean_max",
        "window_init": 0.4,
    },
    "quadrature": {"num_neighbors": None, "measure": "quadrature", "window_init": 0.3},
    "mesh": {"method": "mesh", "window_init": 0.4, "window_threshold": 1e-4},
}
GRIDS = ((1, (500,)), (2, (28, 30)), (3, (9, 10, 11)))


def run(check: Check) -> None:
    """Points, grids, reduced precision, and lists of neighbours with ties."""
    count = 40 if check.tiny else 400
    batch = torch.arange(2).repeat_interleave(count)

    def points() -> list[Tensor]:
        return [torch.randn(2 * count, 6), torch.rand(2 * count, 3) * 2 - 1, batch]

    for name, options in POINTS.items():
        compare(check, name, partial(CCNN, 6, 5, 3, **NETWORK, **options), points)
    for dim, size in GRIDS:

        def grid(size: tuple[int, ...] = size) -> list[Tensor]:
            return [torch.randn(3, 3, *size)]

        for method, more in (
            ("fft", {"window_init": 0.4, "causal": dim == 1}),
            ("direct", {"window_init": 0.4, "causal": dim == 1}),
            ("direct", {"window_init": 0.2, "block": "flex"}),
        ):
            options = {**NETWORK, "method": method, **more}
            name = f"grid of {dim} axes, {method}" + (", dense kernels" if "block" in more else "")
            compare(check, name, partial(CCNN, 3, 5, dim, **options), grid)
    reduced_precision(check, count)
    neighbors(check)


def compare(
    check: Check, name: str, make: Callable[[], nn.Module], inputs: Callable[[], Sequence[Tensor]]
) -> None:
    """Values and all gradients of a module on the CPU and on the device, in double and single precision."""
    for dtype, tolerance in TOLERANCE.items():
        torch.manual_seed(2)
        host = make().to(dtype)
        given = [t.to(dtype) if t.is_floating_point() else t for t in inputs()]
        host(*given)  # kernels are scaled by the first batch
        device, results = copy.deepcopy(host).to(check.device), []
        for module, where in ((host, torch.device("cpu")), (device, check.device)):
            leaves = [t.detach().to(where).requires_grad_(t.is_floating_point()) for t in given]
            results.append(step(partial(module, *leaves), [*leaves, *module.parameters()]))
        (expected, grads), (found, device_grads) = results
        largest = max(g.norm().item() for g in grads)
        pairs = [(a, b) for a, b in zip(device_grads, grads, strict=True) if b.norm() > 1e-4 * largest]
        values, worst = relative(found, expected), max(relative(a, b) for a, b in pairs)
        ok = values < tolerance and worst < 10 * tolerance
        check.say(what=name, type=str(dtype)[6:], values=values, gradients=worst, ok=ok)


def reduced_precision(check: Check, count: int) -> None:
    """Errors of a layer under TF32 and bfloat16; phases are never rounded."""
    x, pos, batch = check.clouds(count, 2, 12, grad=False)
    conv = check.layer(12, 8, 16, window=0.5)
    with torch.no_grad():
        plan = PointPlan(pos, batch, num_neighbors=16)
        exact = conv(x, pos, plan)
        for precision in ("high", "medium"):
            torch.set_float32_matmul_precision(precision)
            found = relative(conv(x, pos, plan), exact)
            torch.set_float32_matmul_precision("highest")
            check.say(what=f"float32_matmul_precision {precision}", values=found, ok=found < 1e-2)
        with torch.autocast(check.device.type, dtype=torch.bfloat16):
            found = relative(conv(x, pos, plan), exact)
        check.say(what="autocast to bfloat16", values=found, ok=found < 2e-2)


def neighbors(check: Check) -> None:
    """The same edges as on the CPU, those at equal distances included."""
    torch.manual_seed(3)
    lattice = (torch.rand(300, 3) * 6).round() / 6
    clouds = {"1,024 points": (torch.rand(1024, 3), 256), "lattice, ties": (lattice, 32)}
    if not check.tiny:
        clouds["3,000 points"] = (torch.rand(3000, 3), 256)
    for name, (pos, k) in clouds.items():
        expected = build_neighbors(pos, None, k).edge_index
        same = torch.equal(build_neighbors(pos.to(check.device), None, k).edge_index.cpu(), expected)
        check.say(what=f"neighbours of {name}", k=k, ok=same)
