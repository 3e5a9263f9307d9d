"""Grids: FFT against direct convolution."""

from __future__ import annotations

from typing import Any

import torch

from ccnn_geo import SepFlexConv
from ccnn_geo.experiments.gpu_check.check import Check, step

SIZES = (
    (1, 50, 140, (1024,)),
    (1, 20, 140, (16_000,)),
    (2, 50, 140, (32, 32)),
    (2, 25, 140, (128, 128)),
    (3, 8, 140, (32,) * 3),
)
TINY = ((1, 2, 8, (256,)),)
TIME_FOR_THE_REST = 120.0


def run(check: Check) -> None:
    """Time, launches, waits and memory of a layer for a narrow and a wide window."""
    for dim, batch, channels, size in TINY if check.tiny else SIZES:
        torch.manual_seed(0)
        x = torch.randn(batch, channels, *size, device=check.device, requires_grad=True)
        for window in (0.075, 0.5):
            for method in ("fft", "direct"):
                if check.seconds_left() < TIME_FOR_THE_REST and not check.tiny:
                    check.say(left_out="grids that remain: the time is short")
                    return
                _measure(check, x, dim, window, method)


def _measure(check: Check, x: torch.Tensor, dim: int, window: float, method: str) -> None:
    size = tuple(x.shape[2:])
    options: dict[str, Any] = {"kernel_hidden": 32, "omega_0": 10.0, "num_taps": 50, "causal": dim == 1}
    conv = SepFlexConv(x.size(1), x.size(1), dim, window_init=window, method=method, **options)
    conv = conv.to(check.device)
    leaves = [x, *conv.parameters()]
    found = {"size": size, "window": window, "method": method}
    try:
        conv(x)
        taps = list(conv.kernel_taps(size)[0].shape[:-1])
        both = check.clock(lambda: step(lambda: conv(x), leaves), 3, 1)
        waits = check.waits(lambda: step(lambda: conv(x), leaves))
        launches = check.launches(lambda: step(lambda: conv(x), leaves))
        peak = check.peak(lambda: step(lambda: conv(x), leaves))
        check.say(**found, taps=taps, both_ms=both, waits=waits, launches=launches, peak_MiB=peak)
    except (RuntimeError, ValueError) as error:  # memory, most of all
        check.say(**found, error=str(error)[:150])
