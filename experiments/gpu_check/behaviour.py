"""Faults that only devices have: mixed devices, copies on the host that are too old, results that do not repeat."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import torch

from ccnn_geo import CCNN, SepFlexConv
from ccnn_geo.experiments.gpu_check.check import Check, relative
from ccnn_geo.kernels import GaussianWindow

MIXED = {
    "a grid on the GPU, the layer on the CPU": (
        "SepFlexConv(3, 4, 2, num_taps=1, window_init=.5)(torch.randn(2, 3, 32, 32).cuda())"
    ),
    "edges on the GPU, all else on the CPU": (
        "SepFlexConv(6, 8, 3, num_taps=1)(torch.randn(300, 6), torch.rand(300, 3), "
        "knn_graph(torch.rand(300, 3), 16).cuda())"
    ),
    "edges on the CPU, all else on the GPU": (
        "SepFlexConv(6, 8, 3, num_taps=1).cuda()(torch.randn(300, 6).cuda(), torch.rand(300, 3).cuda(), "
        "knn_graph(torch.rand(300, 3), 16))"
    ),
}
WAYS: Mapping[str, Mapping[str, Any]] = {
    "edges": {"num_neighbors": 32},
    "dense kernels": {"num_neighbors": 32, "block": "flex"},
    "definition": {"num_neighbors": 32, "method": "plain"},
    "density": {"num_neighbors": 32, "measure": "density"},
    "mean and maximum": {"num_neighbors": 32, "pool": "mean_max"},
    "mesh": {"method": "mesh", "window_threshold": 1e-4},
    "kernels by the first batch": {"num_neighbors": 32, "init_spacing": "auto"},
    "lattice": {"num_neighbors": 32, "method": "lattice"},
}


def mixed_devices(check: Check) -> None:
    """Tensors on two devices must end in an error of one line; -11 is a segmentation fault."""
    for name, code in MIXED.items():
        program = (
            "import torch\nfrom ccnn_geo import SepFlexConv\nfrom ccnn_geo.neighbors import knn_graph\n"
            + code
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        last = done.stderr.strip().splitlines()[-1:]
        check.say(what=name, code=done.returncode, last=last, ok=done.returncode == 1)


def stale_window(check: Check) -> None:
    """A window that grew by half between two passes: taps may not be cut off by its old width."""
    for training in (False, True):
        torch.manual_seed(0)
        host = SepFlexConv(2, 2, 1, window_init=0.1, num_taps=1, omega_0=5.0).train(training)
        x, device = torch.randn(2, 2, 200), copy.deepcopy(host).to(check.device)
        with torch.no_grad():
            device(x.to(check.device)), host(x)
            for module in (host, device):
                assert isinstance(module.kernel.window, GaussianWindow), "the default"
                module.kernel.window.rho.fill_(-1.82)
            errors = [relative(device(x.to(check.device)), host(x)) for _ in range(3)]
        # in training the first pass may use the width of before, by up to a tenth
        check.say(training=training, errors=errors, ok=max(errors[1:] if training else errors) < 1e-4)


def determinism(check: Check) -> None:
    """Whether two steps from the same start end in the same bits, as it is and with deterministic algorithms."""
    x, pos, batch = check.clouds(40 if check.tiny else 200, 2, 6, grad=False)
    lattice = (pos * 8).round() / 8
    network = {"kernel_hidden": 8, "omega_0": 0.2, "window_init": 0.6}

    def two_steps(name: str, options: Mapping[str, Any]) -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = CCNN(6, 3, 3, 24, 1, **{**network, **options}).to(check.device)
        on_lattice = name == "lattice"
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        for _ in range(2):
            optimizer.zero_grad()
            out = model(x, lattice if on_lattice else pos, batch, spacing=0.125 if on_lattice else None)
            out.square().mean().backward()
            optimizer.step()
        return [t.clone() for t in model.state_dict().values()]

    for asked in (False, True):
        for name, options in WAYS.items():
            torch.use_deterministic_algorithms(asked)
            try:
                first, second = two_steps(name, options), two_steps(name, options)
                same = all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
                check.say(what=name, asked=asked, bitwise=same, **({"ok": same} if asked else {}))
            except RuntimeError as error:
                check.say(what=name, asked=asked, error=str(error)[:160], ok=False)
            finally:
                torch.use_deterministic_algorithms(False)
