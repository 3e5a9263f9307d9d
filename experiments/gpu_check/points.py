"""The point path: chunks and fused programs, beside the definition and layers of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ccnn_geo import PointPlan, SepFlexConv
from ccnn_geo.experiments.benchmarks import point_layers
from ccnn_geo.experiments.gpu_check.check import Check, relative, step
from ccnn_geo.functional.edge import conv as edge
from ccnn_geo.functional.edge.compiled import has_compiled, native_edge_conv


class Case(NamedTuple):
    """Sizes of a batch of clouds and of a layer."""

    clouds: int
    points: int
    neighbors: int
    channels: int
    hidden: int


def case(check: Check) -> Case:
    """A layer of CCNN-4,140 on 16 clouds of 1,024 points, the paper's 256 neighbours."""
    return Case(1, 24, 8, 12, 8) if check.tiny else Case(16, 1024, 256, 140, 32)


def _made(check: Check) -> tuple[SepFlexConv, Tensor, Tensor, PointPlan]:
    sizes = case(check)
    x, pos, batch = check.clouds(sizes.points, sizes.clouds, sizes.channels)
    plan = PointPlan(pos, batch, num_neighbors=sizes.neighbors)
    conv = check.layer(sizes.channels, sizes.hidden, sizes.neighbors)
    conv(x, pos, plan)  # kernels are scaled by the first batch
    return conv, x, pos, plan


def speed(check: Check) -> None:
    """Chunks of several sizes, their launches and waits, and windows that most neighbours lie outside of."""
    sizes = case(check)
    conv, x, pos, plan = _made(check)
    leaves = [x, *conv.kernel.parameters()]

    def chunks(edges: int) -> Callable[[], Tensor]:
        return lambda: edge.edge_conv(x, pos, pos, plan.neighbors, conv.kernel, chunk_edges=edges)

    per_edge = sizes.channels + 8 * sizes.hidden
    for bits in (18, 20) if check.tiny else (24, 26, 28):
        run = chunks(max(1, (1 << bits) // per_edge))
        with torch.no_grad():
            forward = check.clock(run)
        both = check.clock(partial(step, run, leaves), 3, 1)
        peak = check.peak(partial(step, run, leaves))
        check.say(what="chunks", floats=f"2^{bits}", forward_ms=forward, both_ms=both, peak_MiB=peak)
    run = chunks(max(1, edge.CHUNK_FLOATS["cuda"] // per_edge))
    launches = check.launches(lambda: step(run, leaves))
    check.say(what="chunks", launches=launches, waits=check.waits(lambda: step(run, leaves)))
    for window in (0.075, 0.3):
        layer = check.layer(sizes.channels, sizes.hidden, sizes.neighbors, window)
        layer(x, pos, plan)
        inside = round(layer.kernel.inside(plan.offsets.mT).float().mean().item(), 3)
        both = check.clock(
            partial(step, partial(layer.__call__, x, pos, plan), [x, *layer.parameters()]), 3, 1
        )
        check.say(what="layer", window=window, inside=inside, both_ms=both)


def fused(check: Check) -> None:
    """The Triton programs against chunks in double precision: errors, time, memory, repeats, waits, capture."""
    if not (check.on_cuda and has_compiled("cuda")):
        check.say(left_out="it needs a CUDA device and Triton")
        return
    conv, x, pos, plan = _made(check)
    kernel, leaves = conv.kernel, [x, *conv.kernel.parameters()]

    def run() -> Tensor:
        found = native_edge_conv(x, pos, pos, plan.neighbors, kernel)
        assert found is not None, "the fused programs are for this layer"
        return found

    expected, grads = step(
        lambda: edge.edge_conv(x, pos, pos, plan.neighbors, kernel, chunk_edges=1 << 17), leaves
    )
    out, found = step(run, leaves)
    worst = max(relative(a, b) for a, b in zip(found, grads, strict=True))
    again, more = step(run, leaves)
    same = all(torch.equal(a, b) for a, b in zip([out, *found], [again, *more], strict=True))
    check.say(
        what="against chunks",
        values=relative(out, expected),
        gradients=worst,
        ok=relative(out, expected) < 1e-4 and worst < 1e-3,
    )
    check.say(what="repeats", bitwise=same, ok=same)
    with torch.no_grad():
        forward = check.clock(run)
    both = check.clock(lambda: step(run, leaves), 3, 1)
    waits = check.waits(lambda: step(run, leaves))
    check.say(what="speed", forward_ms=forward, both_ms=both, peak_MiB=check.peak(lambda: step(run, leaves)))
    check.say(what="waits", waits=waits, launches=check.launches(lambda: step(run, leaves)), ok=waits == 0)

    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.no_grad(), torch.cuda.stream(stream):
        run()
    torch.cuda.current_stream().wait_stream(stream)
    with torch.no_grad(), torch.cuda.graph(graph):
        captured = run()
    graph.replay()
    error = relative(captured, expected)
    check.say(
        what="captured in a CUDA graph", values=error, replay_ms=check.clock(graph.replay), ok=error < 1e-4
    )


def peers(check: Check) -> None:
    """Time and memory of layers on the same clouds and neighbours: ours, the definition, PyG's and a neural operator's.

    GNO-like is message passing with a perceptron of offsets as its kernel, one value per channel.
    """
    sizes = case(check)
    x, pos, batch = check.clouds(sizes.points, sizes.clouds, sizes.channels)
    neighbors = PointPlan(pos, batch, num_neighbors=sizes.neighbors).neighbors
    own = point_layers.Case("edge", channels=sizes.channels, hidden=sizes.hidden, neighbors=sizes.neighbors)
    rows = {
        "SepFlexConv": own,
        "the definition": replace(own, method="plain"),
        "GNO-like": replace(own, method="plain", kernel="mlp"),
        **{name: replace(own, method=name) for name in ("PointNetConv", "PointTransformerConv", "EdgeConv")},
    }
    for name, chosen in rows.items():
        try:
            layer, call = point_layers.LAYERS[chosen.method](chosen)
            _measure(check, name, layer.to(check.device), partial(call, x, pos, batch, neighbors), x)
        except torch.OutOfMemoryError:
            check.say(what=name, error="out of memory")


def _measure(check: Check, name: str, layer: nn.Module, run: Callable[[], Tensor], x: Tensor) -> None:
    leaves = [x, *layer.parameters()]
    both = check.clock(lambda: step(run, leaves), 3, 1)
    check.say(what=name, both_ms=both, peak_MiB=check.peak(lambda: step(run, leaves)))
