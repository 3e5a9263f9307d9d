"""The path of one forward pass through our files: files entered, calls of our functions, hops between files.

Once with gradients and the search for neighbours, once on given edges in evaluation, the shortest pass.

python -m ccnn_geo.experiments.benchmarks.flow
python -m ccnn_geo.experiments.benchmarks.flow --calls        # and each call, indented by depth
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch

import ccnn_geo
from ccnn_geo.neighbors import knn_graph
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.conv.layers import SepFlexConv

HERE = str(Path(ccnn_geo.__file__).parent)


class Flow(NamedTuple):
    """The path of a call.

    Args:
        files: Number of our files entered.
        calls: Calls of our functions, without comprehensions and generators.
        hops: Calls from one of our files into another.
        trace: Depth, file and function of each call.
    """

    files: int
    calls: int
    hops: int
    trace: list[tuple[int, str, str]]


def follow(run: Callable[[], Any]) -> Flow:
    """Counts the calls of our functions during ``run``.

    Example:
        >>> conv = SepFlexConv(2, 2, dim=3, omega_0=1.0)
        >>> x, pos = torch.randn(9, 2), torch.rand(9, 3)
        >>> follow(lambda: conv(x, pos)).calls > 0
        True
    """
    files, trace, hops = set(), [], 0

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal hops
        name = frame.f_code.co_filename
        if event != "call" or not name.startswith(HERE) or frame.f_code.co_name.startswith("<"):
            return
        depth, caller, above = 0, None, frame.f_back
        while above is not None:
            if above.f_code.co_filename.startswith(HERE):
                caller = caller or above.f_code.co_filename
                depth += 1
            above = above.f_back
        files.add(name)
        hops += caller is not None and caller != name
        trace.append(
            (
                depth,
                name.removeprefix(HERE + "/"),
                frame.f_code.co_qualname if sys.version_info >= (3, 11) else frame.f_code.co_name,
            )
        )

    sys.setprofile(watch)
    try:
        run()
    finally:
        sys.setprofile(None)
    return Flow(len(files), len(trace), hops, trace)


def cases() -> dict[str, Callable[[], Any]]:
    """Returns warm forward passes by name."""
    torch.manual_seed(0)
    pos = torch.rand(256, 3)
    conv = SepFlexConv(16, 16, dim=3, omega_0=1.0, window_init=0.5, num_neighbors=16, method="edge")
    x = torch.randn(256, 16)
    model = CCNN.from_preset(
        "ccnn_4_16", dim=3, in_channels=6, out_channels=40, omega_0=1.0, num_neighbors=16
    )
    features, edges = torch.randn(256, 6), knn_graph(pos, 16)
    trained = copy.deepcopy(conv).eval(), copy.deepcopy(model)
    grid = SepFlexConv(16, 16, dim=1, omega_0=1.0)
    signal = torch.randn(4, 16, 128)
    found = {
        "point layer": lambda: conv(x, pos),
        "grid layer": lambda: grid(signal),
        "ccnn_4_16": lambda: model(features, pos),
        "point layer, given edges, evaluation": torch.no_grad()(lambda: trained[0](x, pos, edges)),
        "ccnn_4_16, given edges, evaluation": torch.no_grad()(
            lambda: trained[1](features, pos, edge_index=edges)
        ),
    }
    trained[1](features, pos)  # one batch sets the scale of its kernels
    trained[1].eval()
    for run in found.values():
        run(), run()
    return found


def main() -> None:
    """Prints a line for each case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", action="store_true", help="show each call")
    options = parser.parse_args()
    for name, run in cases().items():
        flow = follow(run)
        print(f"{name}: {flow.files} files, {flow.calls} calls, {flow.hops} hops between files")
        for depth, file, function in flow.trace if options.calls else ():
            print(f"  {'  ' * depth}{file}: {function}")


if __name__ == "__main__":
    main()
