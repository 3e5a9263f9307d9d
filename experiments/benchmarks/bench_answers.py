"""Speed of predictions: many files against forward passes alone, and the first prediction of a process.

    python -m ccnn_geo.experiments.benchmarks.bench_answers [--model shapes10] [--files 1000] [--points 512]

Files are clouds of 2,048 points with normals. ``ratio`` is the time to read, sample and predict all of them, over
forward passes on prepared samples. ``first answer`` is ``ccnn-geo predict MODEL FILE`` in a fresh process, in seconds
of the processor, with bytecode as users have it: the median of five, in turns with the imports that it includes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ccnn_geo import load
from ccnn_geo.experiments.benchmarks.import_time import TIMED, median_seconds
from ccnn_geo.experiments.benchmarks.timing import machine
from ccnn_geo.export.predictor import Predictor
from ccnn_geo.export.streaming import stream_answers
from ccnn_geo.transforms import ShapePipeline


def write_files(folder: Path, count: int) -> list[str]:
    """Ellipsoids with normals, as ``.npy``."""
    rng = np.random.default_rng(0)
    names = []
    for i in range(count):
        normal = rng.normal(size=(2048, 3))
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        cloud = np.concatenate([normal * rng.uniform(0.3, 1.0, 3), normal], axis=1)
        names.append(str(folder / f"{i}.npy"))
        np.save(names[-1], cloud.astype(np.float32))
    return names


def answer_times(model: Predictor, files: Sequence[str], batch_size: int) -> tuple[float, float]:
    """Seconds for all files, and for forward passes on the prepared samples."""
    list(stream_answers(model, files[: 2 * batch_size], batch_size))  # warm
    started = time.perf_counter()
    found = list(stream_answers(model, files, batch_size))
    whole = time.perf_counter() - started
    failed = [answer for _, answer in found if isinstance(answer, Exception)]
    if failed:
        raise failed[0]
    samples = [model.prepare(file) for file in files]
    started = time.perf_counter()
    for start in range(0, len(samples), batch_size):
        model.answer(samples[start : start + batch_size])
    return whole, time.perf_counter() - started


FIRST = """import contextlib, io, time
from ccnn_geo.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    code = main(["predict", {model!r}, {file!r}])
print(time.process_time() if code == 0 else "no answer")"""


def first_answer(model: str, file: str, repeats: int = 5) -> str:
    """Times the first prediction of a process, and the imports in it."""
    programs = {name: TIMED.format(name) for name in ("torch", "torch._dynamo", "torch_geometric")}
    seconds = median_seconds({**programs, "first": FIRST.format(model=model, file=file)}, repeats)
    torch, dynamo, geometric, first = seconds.values()
    return (
        f"first answer: {first:.2f} s, import torch {torch:.2f} s, beyond it {first - torch:.2f} s: torch-geometric "
        f"{geometric - torch:.2f} s (of which torch._dynamo {dynamo - torch:.2f} s), the rest {first - geometric:.2f} s"
    )


def main(argv: list[str] | None = None) -> None:
    """Prints both times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="shapes10")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--points", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=32)
    options = parser.parse_args(argv)
    model = load(options.model)
    if isinstance(model.pipeline, ShapePipeline):
        model = replace(model, pipeline=replace(model.pipeline, num_points=options.points))
    print(machine())
    with TemporaryDirectory() as folder:
        files = write_files(Path(folder), options.files)
        whole, forward = answer_times(model, files, options.batch_size)
        print(
            f"{len(files)} files: {whole:.1f} s, forward passes {forward:.1f} s, ratio {whole / forward:.2f}"
        )
        print(first_answer(options.model, files[0]))


if __name__ == "__main__":
    main()
