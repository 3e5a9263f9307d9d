"""The machine, its peak rates, and whether the package's own tests pass on it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import torch

from ccnn_geo._base.version import VERSION
from ccnn_geo.experiments.gpu_check.check import Check
from ccnn_geo.functional.edge.compiled import has_compiled


def run(check: Check) -> None:
    """Versions and settings; of a GPU the rate of copies, of products in float32, and the cost of a launch."""
    versions = {}
    for name in ("torch", "torch-geometric", "triton"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "missing"
    check.say(
        ccnn_geo=VERSION,
        **versions,
        gpu=torch.cuda.get_device_name(check.device) if check.on_cuda else None,
        compiled=has_compiled(check.device.type),
        tf32=torch.backends.cuda.matmul.allow_tf32,
    )
    if not check.on_cuda:
        return
    a = torch.empty(1 << 28, device=check.device)
    b, m = torch.empty_like(a), torch.randn(8192, 8192, device=check.device)
    copied, product = check.clock(lambda: b.copy_(a)), check.clock(lambda: m @ m, 3, 1)
    small = check.clock(lambda: [b[:8].add_(1) for _ in range(1000)], 3)
    check.say(
        copy_TB_per_s=round(2 * a.numel() * 4 / copied / 1e9, 2),
        float32_TFLOPs=round(2 * 8192**3 / product / 1e9, 1),
        launch_us=round(small, 2),
    )


def suite(check: Check) -> None:
    """The tests that take a device, on this one; they lie beside the sources and are in no wheel."""
    root = Path(__file__).parents[2]
    missing = not (root / "tests").is_dir() or importlib.util.find_spec("pytest") is None
    if missing:
        check.say(left_out="there are no tests here: run it from a clone, with pytest installed")
        return
    command = [sys.executable, "-m", "pytest", "-q", "-k", "cuda", "-p", "no:cacheprovider", "--maxfail=40"]
    if importlib.util.find_spec("xdist") is not None:
        command += ["-n", "8"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=240)
    lines = done.stdout.strip().splitlines()
    failed = [line for line in lines if line.startswith("FAILED")]
    check.say(last=lines[-1:], failed=failed, ok=done.returncode == 0)
