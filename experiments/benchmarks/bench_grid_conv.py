"""Break-even of FFT and direct convolution (the constant of ``grid_conv``'s automatic choice), and whole layers.

python -m ccnn_geo.experiments.benchmarks.bench_grid_conv                          # compiled, where there is a compiler
CCNN_GEO_NATIVE=0 python -m ccnn_geo.experiments.benchmarks.bench_grid_conv        # torch's FFT
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch

from ccnn_geo import SepFlexConv
from ccnn_geo.experiments.benchmarks.sequence_layers import open_window
from ccnn_geo.experiments.benchmarks.timing import interleaved, machine
from ccnn_geo.functional.grid.conv import fft_is_cheaper, grid_conv
from ccnn_geo.functional.grid.fft import fast_length, plan_fft
from ccnn_geo.kernels.config import PAPER

CASES = [
    ((1024,), (5,)), ((1024,), (11,)), ((1024,), (31,)), ((1024,), (165,)), ((16000,), (63,)),
    ((32, 32), (3, 3)), ((32, 32), (5, 5)), ((32, 32), (11, 11)), ((32, 32), (33, 33)), ((32, 32), (63, 63)),
    ((64, 64), (7, 7)), ((64, 64), (33, 33)),
    ((16, 16, 16), (3, 3, 3)), ((32, 32, 32), (3, 3, 3)), ((32, 32, 32), (5, 5, 5)),
]  # fmt: skip
"""Grid sizes and kernel sizes, a few on either side of the break-even."""


def main(batch: int = 4, channels: int = 32, lengths: tuple[int, ...] = (1024, 4096, 16000)) -> None:
    """Prints milliseconds of both paths and the constant of their break-even, then those of a whole layer."""
    print(machine())
    print(f"depthwise, forward + backward, B={batch}, C={channels}")
    print(f"{'grid':>14s} {'kernel':>12s} {'direct':>10s} {'FFT':>10s} {'constant':>9s}  choice")
    for size, taps in CASES:
        x, kernel = _leaf(batch, channels, *size), _leaf(channels, *taps)
        center = [k // 2 for k in taps]

        ways = ("direct", "fft")
        seconds = interleaved({m: partial(_step, x, kernel, center, m) for m in ways}, repeats=3)
        points = math.prod(fast_length(s + k // 2) for s, k in zip(size, taps, strict=True))
        operations = points * math.log2(points) / (math.prod(size) * math.prod(taps))
        constant = seconds["fft"] / seconds["direct"] / operations
        compiled = plan_fft(kernel, size, center).native
        chosen = "FFT" if fft_is_cheaper(size, taps, compiled, str(kernel.device)) else "direct"
        print(
            f"{'x'.join(map(str, size)):>14s} {'x'.join(map(str, taps)):>12s} {1e3 * seconds['direct']:7.1f} ms "
            f"{1e3 * seconds['fft']:7.1f} ms {constant:9.2f}  {chosen}"
        )
    _layers(8, 140, lengths)


def _layers(batch: int, channels: int, lengths: tuple[int, ...]) -> None:
    print(
        f"SepFlexConv({channels}, {channels}), causal, B={batch}: forward, forward + backward, and the sum alone"
    )
    for length in lengths:
        for name in ("published window", "kernel as long as the input"):
            x = _leaf(batch, channels, length)
            conv = SepFlexConv(channels, channels, 1, causal=True, num_taps=length, **PAPER).to(x)
            if name != "published window":
                open_window(conv)
            conv(x)
            seconds = interleaved(_passes(conv, x), repeats=9)
            forward_ms, both, alone = (1e3 * value for value in seconds.values())
            print(f"L={length:6d}, {name:28s} {forward_ms:6.1f} ms {both:7.1f} ms {alone:7.1f} ms")


def _step(x: torch.Tensor, kernel: torch.Tensor, center: Sequence[int], method: str) -> None:
    grid_conv(x, kernel, center, method).sum().backward()


def _passes(conv: SepFlexConv, x: torch.Tensor) -> Mapping[str, Callable[[], object]]:
    def forward() -> None:
        with torch.no_grad():
            conv(x)

    return {
        "forward": forward,
        "both": lambda: conv(x).sum().backward(),
        "sum": lambda: conv.aggregate_neighbors(x).sum().backward(),
    }


def _leaf(*shape: int) -> torch.Tensor:
    return torch.randn(shape, device="cuda" if torch.cuda.is_available() else "cpu", requires_grad=True)


if __name__ == "__main__":
    main()
