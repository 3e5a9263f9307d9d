"""Speed of exported programs of a network on points, against the package itself.

    python -m ccnn_geo.experiments.benchmarks.bench_programs [--preset ccnn_4_140_paper] [--neighbors 256] [--form onnx]

A fresh network on one cloud, points of a sphere, on one core. ``CPU s`` is processor time, which a busy machine
affects less; the smallest of three. ``peak`` is the memory that the program adds.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ccnn_geo import CCNN
from ccnn_geo.experiments.benchmarks.timing import machine
from ccnn_geo.export import export_onnx, export_program


def cloud(batch: int, points: int) -> tuple[Tensor, Tensor]:
    """Features and positions on a sphere, ``[B, N, 6]`` and ``[B, N, 3]``."""
    return torch.randn(batch, points, 6), torch.nn.functional.normalize(torch.randn(batch, points, 3), dim=2)


def program_of(model: CCNN, form: str) -> Callable[..., Tensor]:
    """Exports a network as a program that is ready to run, on one thread."""
    if form == "torch-export":
        return export_program(model, "points").module()
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    written = export_onnx(model, "points")
    session = onnxruntime.InferenceSession(written, options, providers=["CPUExecutionProvider"])
    return lambda x, pos: torch.from_numpy(session.run(None, {"x": x.numpy(), "pos": pos.numpy()})[0])


def seconds(run: Callable[[], Tensor]) -> float:
    """The least CPU time of three runs, after one for warm-up."""
    run()
    times = []
    for _ in range(3):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return min(times)


@torch.no_grad()
def main(argv: list[str] | None = None) -> None:
    """Prints times, memory, and the difference between the two outputs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="ccnn_4_140_paper")
    parser.add_argument("--points", type=int, default=1024)
    parser.add_argument("--neighbors", type=int, default=256)
    parser.add_argument("--form", choices=("torch-export", "onnx"), default="torch-export")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = CCNN.from_preset(options.preset, 3, 6, 10, num_neighbors=options.neighbors)
    x, pos = cloud(2, options.points)
    model(x.flatten(0, 1), pos.flatten(0, 1), torch.arange(2 * options.points) // options.points)
    model.eval()
    x, pos = cloud(1, options.points)
    run = program_of(model, options.form)
    package = seconds(lambda: model(x[0], pos[0]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    program = seconds(lambda: run(x, pos))
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    error = float((run(x, pos) - model(x[0], pos[0])).abs().max())
    print(machine())
    print(f"package {package:.3f} CPU s, program {program:.3f} CPU s, peak {peak:.0f} MB, error {error:.1e}")


if __name__ == "__main__":
    main()
