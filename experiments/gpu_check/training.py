"""A step of CCNN-4,140 against the CPU's, and trainings of the demo with 0 and 4 loading processes and on the CPU."""

from __future__ import annotations

import copy
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from ccnn_geo import CCNN
from ccnn_geo.experiments.gpu_check.check import Check, relative

RUNS = {
    "GPU, 0 workers": ("--trainer.accelerator", "gpu", "--data.num_workers", "0"),
    "GPU, 4 workers": ("--trainer.accelerator", "gpu", "--data.num_workers", "4"),
    "CPU": ("--trainer.accelerator", "cpu"),
}
TIMEOUT = 180.0


def one_step(check: Check) -> None:
    """Loss, gradients and milliseconds of one step on points, on the device and on the CPU, in float32."""
    points, preset = (32, "ccnn_4_16") if check.tiny else (512, "ccnn_4_140")
    x, pos, batch = (t.detach().cpu() for t in check.clouds(points, 4, 6, grad=False))
    torch.manual_seed(0)
    host = CCNN.from_preset(preset, 3, 6, 40, num_neighbors=16 if check.tiny else 64)
    host(x, pos, batch)
    device, found = copy.deepcopy(host).to(check.device), []
    for model in (host, device):
        given = [t.to(next(model.parameters()).device) for t in (x, pos, batch)]
        once = partial(_step, model, given)
        loss = once()
        grads = torch.cat([p.grad.flatten().cpu() for p in model.parameters() if p.grad is not None])
        found.append((loss, grads, check.clock(once, 3, 1)))
    (loss, grads, on_cpu), (own, own_grads, on_device) = found
    errors = {"loss": relative(own, loss), "gradients": relative(own_grads, grads)}
    ok = errors["loss"] < 1e-4 and errors["gradients"] < 1e-3
    check.say(what=preset, **errors, device_ms=on_device, cpu_ms=on_cpu, ok=ok)


def _step(model: nn.Module, given: Sequence[torch.Tensor]) -> torch.Tensor:
    model.zero_grad()
    loss: torch.Tensor = nn.functional.cross_entropy(model(*given), torch.arange(4, device=given[0].device))
    loss.backward()
    return loss


def run(check: Check) -> None:
    """Seconds, and the last lines that a training prints."""
    for name, options in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable,
                "-m",
                "ccnn_geo.cli",
                "train",
                "--config",
                "demo",
                "--out",
                folder,
                *options,
            ]
            start = time.monotonic()
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                check.say(what=name, error=f"it took more than {TIMEOUT:.0f} s")
                continue
            last = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()[-3:]
            took = round(time.monotonic() - start)
            check.say(what=name, took_s=took, last=last, ok=done.returncode == 0)
