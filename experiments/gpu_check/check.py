"""The means of the check: findings as lines of JSON, clocks, peaks of memory, waits and launches."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

import torch
from torch import Tensor, nn

from ccnn_geo import SepFlexConv


@dataclass
class Check:
    """One run of the check.

    Args:
        device: Where everything runs.
        tiny: Sizes for a CPU, which only show that the check itself runs.
        seconds: For all sections together.
        file: Takes a line of JSON per finding.
    """

    device: torch.device
    tiny: bool
    seconds: float
    file: TextIO
    section: str = ""
    started: float = field(default_factory=time.monotonic)

    @property
    def on_cuda(self) -> bool:
        """Whether there is a CUDA device under the check."""
        return self.device.type == "cuda"

    def seconds_left(self) -> float:
        """Seconds until the end."""
        return self.started + self.seconds - time.monotonic()

    def say(self, **found: Any) -> None:
        """Writes and prints a finding of the present section."""
        seconds = round(time.monotonic() - self.started, 1)
        line = json.dumps({"section": self.section, "seconds": seconds, **found}, default=str)
        print(line, flush=True)
        self.file.write(f"{line}\n")
        self.file.flush()

    def sync(self) -> None:
        """Waits until the device has done all."""
        if self.on_cuda:
            torch.cuda.synchronize(self.device)

    def clock(self, run: Callable[[], Any], repeats: int = 5, warm: int = 2) -> float:
        """Milliseconds of a call, the median, the host's waits included."""
        repeats, warm = (2, 1) if self.tiny else (repeats, warm)
        for _ in range(warm):
            run()
        took = []
        for _ in range(repeats):
            self.sync()
            start = time.perf_counter()
            run()
            self.sync()
            took.append(1000 * (time.perf_counter() - start))
        return round(sorted(took)[len(took) // 2], 3)

    def peak(self, run: Callable[[], Any]) -> int | None:
        """MiB that a call takes beyond what there was before; ``None`` without CUDA."""
        if not self.on_cuda:
            return None
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        run()
        self.sync()
        return round((torch.cuda.max_memory_allocated(self.device) - before) / 2**20)

    def waits(self, run: Callable[[], Any]) -> int | None:
        """How often the host waits for the device, by torch's own count; ``None`` without CUDA."""
        if not self.on_cuda:
            return None
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                run()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return sum("synchroniz" in str(one.message) for one in caught)

    def launches(self, run: Callable[[], Any]) -> int | None:
        """Kernels that a call launches; ``None`` without CUDA."""
        if not self.on_cuda:
            return None
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CUDA]) as profiled:
            run()
            self.sync()
        events = profiled.key_averages()
        return sum(e.count for e in events if e.device_type.name == "CUDA" and "Mem" not in e.key)

    def clouds(
        self, points: int, clouds: int, channels: int, grad: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features, positions on spheres and clouds' numbers."""
        torch.manual_seed(0)
        pos = nn.functional.normalize(torch.randn(clouds * points, 3))
        x = torch.randn(clouds * points, channels)
        batch = torch.arange(clouds).repeat_interleave(points)
        return x.to(self.device).requires_grad_(grad), pos.to(self.device), batch.to(self.device)

    def layer(
        self, channels: int, hidden: int, neighbors: int, window: float = 5.0, **options: Any
    ) -> SepFlexConv:
        """A layer on points; a window of 5 has all neighbours inside."""
        torch.manual_seed(1)
        given = {
            "method": "edge",
            "num_taps": neighbors / 4,
            "omega_0": 0.5,
            "window_init": window,
            **options,
        }
        return SepFlexConv(channels, channels, 3, kernel_hidden=hidden, **given).to(self.device)


def step(run: Callable[[], Tensor], leaves: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Values, and gradients of the mean of their squares."""
    out = run()
    wanted = [t for t in leaves if t.requires_grad]
    found = torch.autograd.grad(out.square().mean(), wanted, allow_unused=True)
    return out, [t for t in found if t is not None]


def relative(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference over that of the second, on the CPU in double precision."""
    a, b = found.detach().double().cpu(), expected.detach().double().cpu()
    return float(f"{((a - b).norm() / b.norm().clamp(min=1e-300)).item():.2e}")
