"""Where the FFT overtakes the direct convolution: the constant of ``grid_conv``'s automatic choice.

python -m ccnn_geo.experiments.bench_grid_conv                          # compiled, where there is a compiler
CCNN_GEO_NATIVE=0 python -m ccnn_geo.experiments.bench_grid_conv        # torch's FFT
"""

from __future__ import annotations

import math

import torch

from ccnn_geo.experiments.timing import interleaved, machine
from ccnn_geo.functional.fft_conv import fast_length, plan_fft
from ccnn_geo.functional.grid_conv import fft_is_cheaper, grid_conv

CASES = [
    ((1024,), (5,)), ((1024,), (11,)), ((1024,), (31,)), ((1024,), (165,)), ((16000,), (63,)),
    ((32, 32), (3, 3)), ((32, 32), (5, 5)), ((32, 32), (11, 11)), ((64, 64), (7, 7)), ((64, 64), (33, 33)),
    ((16, 16, 16), (3, 3, 3)), ((32, 32, 32), (3, 3, 3)), ((32, 32, 32), (5, 5, 5)),
]  # fmt: skip
"""Grid sizes and kernel sizes, a few on either side of the break-even."""


def main(batch: int = 4, channels: int = 32) -> None:
    print(machine())
    print(f"depthwise, forward + backward, B={batch}, C={channels}")
    print(f"{'grid':>14s} {'kernel':>12s} {'direct':>10s} {'FFT':>10s} {'constant':>9s}  choice")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for size, taps in CASES:
        x = torch.randn(batch, channels, *size, device=device, requires_grad=True)
        kernel = torch.randn(channels, *taps, device=device, requires_grad=True)
        center = [k // 2 for k in taps]

        def step(method: str, x=x, kernel=kernel, center=center) -> None:
            grid_conv(x, kernel, center, method).sum().backward()

        seconds = interleaved({m: lambda m=m, step=step: step(m) for m in ("direct", "fft")}, repeats=3)
        chosen = "FFT" if fft_is_cheaper(size, taps, plan_fft(kernel, size, center).native) else "direct"
        points = math.prod(fast_length(s + k // 2) for s, k in zip(size, taps, strict=True))
        constant = (
            seconds["fft"]
            / seconds["direct"]
            * math.prod(size)
            * math.prod(taps)
            / (points * math.log2(points))
        )
        print(
            f"{'x'.join(map(str, size)):>14s} {'x'.join(map(str, taps)):>12s} {1e3 * seconds['direct']:7.1f} ms "
            f"{1e3 * seconds['fft']:7.1f} ms {constant:9.2f}  {chosen}"
        )


if __name__ == "__main__":
    main()
