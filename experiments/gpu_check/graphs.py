"""Whole networks: waits, launches, CUDA graphs, and ``torch.compile`` in two modes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ccnn_geo import CCNN
from ccnn_geo.experiments.gpu_check.check import Check, relative, step
from ccnn_geo.experiments.gpu_check.points import case


def run(check: Check) -> None:
    """A network on images and one on clouds, of the size of CCNN-4,140."""
    sizes = case(check)
    network: dict[str, Any] = {
        "hidden_channels": sizes.channels,
        "num_blocks": 4,
        "kernel_hidden": sizes.hidden,
    }
    options = {**network, "omega_0": 5.0, "window_init": 0.2}
    torch.manual_seed(0)
    side, batch = (12, 2) if check.tiny else (32, 8)
    images = [torch.randn(batch, 3, side, side, device=check.device)]
    clouds = list(check.clouds(sizes.points, sizes.clouds, 6, grad=False))
    models = {
        "images": (CCNN(3, 10, 2, **options), images),
        "clouds": (CCNN(6, 40, 3, num_neighbors=sizes.neighbors, **options), clouds),
    }
    for name, (model, inputs) in models.items():
        model = model.to(check.device)
        model(*inputs)
        leaves = list(model.parameters())
        once = partial(step, partial(model, *inputs), leaves)
        both, waits, launches = check.clock(once, 3, 1), check.waits(once), check.launches(once)
        check.say(what=name, both_ms=both, waits=waits, launches=launches)
        if check.on_cuda:
            _capture(check, name, model.eval(), inputs)
        if not check.tiny:
            for mode in ("default", "reduce-overhead"):
                _compile(check, name, model.train(), inputs, mode)


def _capture(check: Check, name: str, model: nn.Module, inputs: Sequence[Tensor]) -> None:
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.no_grad():
            for _ in range(3):
                expected = model(*inputs)
            with torch.cuda.graph(graph):
                captured = model(*inputs)
            graph.replay()
        error = relative(captured, expected)
        eager = check.clock(lambda: model(*inputs))
        check.say(
            what=f"{name}, captured",
            values=error,
            ms=check.clock(graph.replay),
            eager_ms=eager,
            ok=error < 1e-4,
        )
    except RuntimeError as problem:
        check.say(what=f"{name}, captured", error=str(problem)[:200])
        check.sync()


def _compile(check: Check, name: str, model: nn.Module, inputs: Sequence[Tensor], mode: str) -> None:
    what = f"{name}, compiled, {mode}"
    try:
        torch.compiler.reset()
        fast, start = torch.compile(model, mode=mode, fullgraph=True), time.monotonic()
        error = relative(fast(*inputs), model(*inputs))
        check.sync()
        first, leaves = round(time.monotonic() - start, 1), list(model.parameters())
        both = check.clock(lambda: step(lambda: fast(*inputs), leaves), 3, 2)
        check.say(what=what, first_s=first, both_ms=both, values=error, ok=error < 1e-3)
    except Exception as problem:  # the compiler has errors of many types
        check.say(what=what, error=f"{type(problem).__name__}: {str(problem)[-200:]}")
