"""Variance of a fresh network's layers and logits on every carrier (Sec. 4.1, Fig. 6).

    python -m ccnn_geo.experiments.studies.unit_variance

``layers`` is the range of the output variance over all convolutions, ``logits`` that of the network, both on
a second batch (the first one sets the scales). ``unscaled`` is the variance of the logits without the scale.
"""

from __future__ import annotations

from typing import Any

import torch

from ccnn_geo import CCNN
from ccnn_geo.experiments.benchmarks.timing import machine
from ccnn_geo.kernels.config import PAPER

CARRIERS: dict[str, tuple[dict[str, Any], tuple[int, ...] | int]] = {
    "sequence 1,024": ({"dim": 1, "causal": True, "omega_0": 2386.49}, (1024,)),
    "sequence 16,000": ({"dim": 1, "causal": True, "omega_0": 1295.61}, (16000,)),
    "image 32 x 32": ({"dim": 2, "omega_0": 1435.77}, (32, 32)),
    "volume 32 x 32 x 32": ({"dim": 3, "hidden_channels": 48, **PAPER}, (32, 32, 32)),
    "cloud 512": ({"dim": 3, **PAPER}, 512),
    "cloud 2,048": ({"dim": 3, **PAPER}, 2048),
    "cloud 512, sigma 0.3, omega_0 0.25": (
        {"dim": 3, "omega_0": 0.25, "window_init": 0.3, "num_neighbors": 64},
        512,
    ),
}
"""Arguments of the network (CCNN-4,140 with the paper's omega_0 by default) and size of a sample."""


def inputs(size: int | tuple[int, ...], batch: int) -> tuple[torch.Tensor, ...]:
    """White noise on a grid; normals and positions of spheres as points."""
    if isinstance(size, tuple):
        return (torch.randn(batch, 3, *size),)
    pos = torch.nn.functional.normalize(torch.randn(batch * size, 3), dim=-1)
    return pos, pos, torch.arange(batch).repeat_interleave(size)


@torch.no_grad()
def main(seeds: int = 3, batch: int = 2) -> None:
    """Runs the command with these arguments."""
    print(machine())
    print(f"{'carrier':36s} {'layers':>14s} {'logits':>14s} {'unscaled':>10s}")
    for name, (kwargs, size) in CARRIERS.items():
        layers: list[float] = []
        logits, unscaled = [], []
        for seed in range(seeds):
            torch.manual_seed(seed)
            model = CCNN(3, 10, **{"hidden_channels": 140, **kwargs}).eval()
            raw = CCNN(3, 10, **{"hidden_channels": 140, **kwargs, "num_taps": 1.0}).eval()
            raw(*inputs(size, batch))
            unscaled.append(raw.head.scale.moment.item())
            model(*inputs(size, batch))
            for conv in model.convs:
                conv.register_forward_hook(lambda module, args, y, seen=layers: seen.append(y.var().item()))
            logits.append(model(*inputs(size, batch)).var().item())
        print(
            f"{name:36s} {min(layers):6.2f} ..{max(layers):5.2f} {min(logits):6.2f} ..{max(logits):5.2f} "
            f"{max(unscaled):10.2g}"
        )


if __name__ == "__main__":
    main()
