"""The base of all benchmarks: repeated timing in turn, peak memory of a fresh process, the machine's name."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MEMORY_ERRORS = ("allocate memory", "MemoryError", "bad_alloc", "can't start new thread")
"""Phrases in the messages of a failed allocation."""


def machine() -> str:
    """Describes the origin of the figures in one line."""
    device = (
        torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else f"{torch.get_num_threads()} CPU threads"
    )
    return f"torch {torch.__version__}, Python {platform.python_version()}, {device}"


def synchronize() -> None:
    """Waits for a GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def interleaved(cases: Mapping[str, Callable[[], object]], repeats: int = 5) -> dict[str, float]:
    """Median seconds of each case; they run in turn, so that a drifting machine affects all alike."""
    for case in cases.values():
        case()
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name, case in cases.items():
            synchronize()
            start = time.perf_counter()
            case()
            synchronize()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak_above_start(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None, timeout: float | None = None
) -> dict[str, Any]:
    """Runs ``python -m module arguments`` in a fresh process and returns the JSON of its last line.

    Raises:
        subprocess.CalledProcessError: If it fails; ``stderr`` has the reason.
        subprocess.TimeoutExpired: If it takes longer than ``timeout`` seconds; it is then stopped.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        timeout=timeout,
    )
    return json.loads(done.stdout.splitlines()[-1])


def peak_memory() -> float:
    """Peak memory of this process since its start or :func:`forget_peak`, in MB (on a GPU that of its tensors)."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    with contextlib.suppress(OSError):  # getrusage would include the memory of the parent process
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def forget_peak() -> float:
    """Resets :func:`peak_memory`, where the system can, and returns the memory in use, in MB."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    elif sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "malloc_trim"):
            libc.malloc_trim(0)  # freed memory kept for later would hide that much of the next peak
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


def limit_memory(megabytes: float) -> None:
    """Makes allocations beyond ``megabytes`` above the current memory fail, instead of the machine (Linux, CPU)."""
    if sys.platform == "linux" and not torch.cuda.is_available():
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit = mapped + int(megabytes * 2**20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def forward_and_backward(
    call: Callable[[Tensor], Tensor], x: Tensor, repeats: int, seconds: float
) -> dict[str, float]:
    """Median seconds of a training step's forward pass, which stores what autograd needs, and of both passes.

    The first passes warm up. Repeats end early if the next one would not end within ``seconds`` from now;
    if there are none, the first passes are the result (``repeats`` is 0 then).
    """
    deadline = time.perf_counter() + seconds
    forward, both = [], []
    for _ in range(repeats + 1):
        synchronize()
        start = time.perf_counter()
        y = call(x)
        synchronize()
        forward.append(time.perf_counter() - start)
        y.sum().backward()
        synchronize()
        end = time.perf_counter()
        both.append(end - start)
        del y
        if end + (end - start) > deadline:
            break
    return {
        "forward": statistics.median(forward[1:] or forward),
        "both": statistics.median(both[1:] or both),
        "repeats": len(both) - 1,
    }
