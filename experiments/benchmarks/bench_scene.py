"""Time and memory of a scene of any size: a class for each point, by an untrained network, in the scan's format.

python -m ccnn_geo.experiments.benchmarks.bench_scene --root FOLDER [--millions 20] [--format bin]

FOLDER has ``kitti.npz`` (``xyzi [N, 4]``, ``offset``); its frames lie side by side until there are enough points.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from ccnn_geo import CCNN
from ccnn_geo.experiments.benchmarks.timing import machine, peak_memory
from ccnn_geo.export.scenes.answer import label_scene
from ccnn_geo.io.scans.frames import Frame
from ccnn_geo.io.scans.write import answer_file
from ccnn_geo.transforms.pipelines.scans import ScanPipeline

SIZE = np.array([160.0, 108.0])
"""Size of a frame, in metres."""
TILE, VOXEL, CLASSES = 40.0, 0.4, 5
PIPELINE = ScanPipeline(
    moments={"intensity": (0.28, 0.16)}, unit=TILE / 2, tile=TILE, voxel=VOXEL, classes=range(CLASSES)
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints points, seconds of the processor per million of them, and the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder with kitti.npz")
    parser.add_argument("--millions", type=float, default=20.0, help="points of the scene")
    parser.add_argument("--format", choices=("bin", "las", "laz"), default="bin")
    parser.add_argument("--neighbors", type=int, default=32, help="neighbours of each point in every layer")
    args = parser.parse_args(arguments)
    stored = np.load(args.root / "kitti.npz")
    frames = np.split(stored["xyzi"], stored["offset"][1:-1])
    network = make_network(frames[0], args.neighbors)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"scene.{args.format}"
        points = write_scene(path, frames, round(args.millions * 1e6))
        print(f"{machine()}; {points:,} points, {path.stat().st_size / 2**20:.0f} MB of {args.format}")
        before, start, busy = peak_memory(), time.perf_counter(), time.process_time()
        out = path.with_name(answer_file(path))
        answer = label_scene(network, PIPELINE, path, out)
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        print(
            f"{seconds:.0f} s, {busy:.0f} of the processor, {1e6 * busy / points:.1f} a million points; "
            f"peak {peak_memory():.0f} MB, {before:.0f} before; {out.stat().st_size / 2**20:.0f} MB of {out.suffix}, "
            f"mean probability {answer.probability.mean():.2f}"
        )


def make_network(frame: np.ndarray, neighbors: int) -> CCNN:
    """Returns a network with the scales of a tile and random weights."""
    torch.manual_seed(0)
    network = CCNN.from_preset("ccnn_4_16", 3, 1, CLASSES, readout="node", num_neighbors=neighbors)
    near = frame[(np.abs(frame[:, :2]) < TILE / 2).all(1)].astype(np.float64)
    data = PIPELINE(Frame(near[:, :3], {"intensity": near[:, 3]}, None))
    with torch.no_grad():
        network(data.x, data.pos)
    return network.eval()


def copies(frames: list[np.ndarray], points: int) -> Iterator[np.ndarray]:
    """Yields frames side by side, in a square, until there are enough points."""
    side, done, number = int(np.ceil(np.sqrt(points / len(frames[0])))), 0, 0
    while done < points:
        frame = frames[number % len(frames)][: points - done].copy()
        frame[:, :2] += (SIZE * divmod(number, side)).astype(np.float32)
        yield frame
        done, number = done + len(frame), number + 1


def write_scene(path: Path, frames: list[np.ndarray], points: int) -> int:
    """Writes a scene frame by frame, and returns its number of points."""
    if path.suffix == ".bin":
        with path.open("wb") as file:
            return sum(len(frame) for frame in copies(frames, points) if file.write(frame.tobytes()))
    import laspy

    header, total = laspy.LasHeader(point_format=6, version="1.4"), 0
    header.scales = np.full(3, 0.001)
    with laspy.open(path, mode="w", header=header) as writer:
        for frame in copies(frames, points):
            some = laspy.ScaleAwarePointRecord.zeros(len(frame), header=header)
            some.x, some.y, some.z = frame[:, :3].T.astype(np.float64)
            some.intensity = frame[:, 3] * 65535
            writer.write_points(some)
            total += len(frame)
    return total


if __name__ == "__main__":
    main()
