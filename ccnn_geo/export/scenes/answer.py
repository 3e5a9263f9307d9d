"""Predicts a class, or logits, for every point of a whole scene: averages over overlapping tiles."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
import torch

from ccnn_geo.export.scenes.merging import averages, summed
from ccnn_geo.export.scenes.votes import Votes
from ccnn_geo.export.short import short_repr
from ccnn_geo.io.files.rows import FileRows
from ccnn_geo.io.scans.chunks import Part, read_chunks
from ccnn_geo.io.scans.frames import Frame
from ccnn_geo.io.scans.point_labels import IGNORED
from ccnn_geo.io.scans.write import check_answer, write_answer
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.transforms.pipelines.scans import ScanPipeline

OVERLAP = 0.25
"""Default share of a tile that overlaps the next one."""


@dataclass(frozen=True, eq=False)
class SceneAnswer:
    """The prediction of a network for a scene; arrays may lie on disk.

    Args:
        label: Class of each point in the numbers of the file, ``[N]`` int32; -1 for points without a position.
        probability: Probability of that class, ``[N]`` float32; 0 for these points.
        index: The same class from 0 to K - 1, ``[N]`` int32.

    Example:
        >>> SceneAnswer(np.full(9, 2), np.ones(9), np.zeros(9))
        SceneAnswer(label=[9], probability=[9], index=[9])
    """

    label: np.ndarray
    probability: np.ndarray
    index: np.ndarray

    def __repr__(self) -> str:
        return short_repr(self, **vars(self))


@torch.no_grad()
def scene_logits(
    network: CCNN,
    pipeline: ScanPipeline,
    frame: Frame,
    *,
    overlap: float = OVERLAP,
    rotations: int = 1,
    subsets: int = 1,
) -> np.ndarray:
    r"""Logits for every point of a scan in memory.

    .. math::
        z(p) = \frac{\sum_t w_t(p) \, z_t(p)}{\sum_t w_t(p)}

    over the tiles :math:`t` that hold the point, with the weights of :class:`~ccnn_geo.export.scenes.tiling.Tiling`. In
    each tile the network sees the points that ``voxel``, ``max_points`` and ``num_points`` leave, as in training. It is
    then evaluated at all points, see :class:`~ccnn_geo.nn.point_field.PointField`.

    Args:
        network: The network, in evaluation mode, with ``readout="node"``.
        pipeline: The pipeline of its training.
        frame: The scan.
        overlap: Least share of a tile that overlaps the next one, up to a half.
        rotations: Number of rotations about the vertical axis that vote.
        subsets: Number of different thinnings that vote.

    Shapes:
        - **output:** :math:`(N, K)` float32, in the order of the frame

    Raises:
        ValueError: If an argument is out of range, or the scan lacks a feature.

    Example:
        >>> network = CCNN.from_preset("ccnn_4_16", 3, 1, 3, readout="node", num_neighbors=8)
        >>> out = network(torch.randn(100, 1), torch.rand(100, 3))          # the first batch sets the scales
        >>> scan = Frame(np.random.rand(900, 3) * 50, {"intensity": np.random.rand(900)}, None)
        >>> pipeline = ScanPipeline(unit=10.0, tile=20.0, voxel=2.0)
        >>> scene_logits(network.eval(), pipeline, scan).shape
        (900, 3)
    """
    votes, num = Votes(rotations, subsets), len(frame.xyz)
    kept, sums = summed(network, pipeline, lambda: [Part(frame, np.arange(num), num)], votes, overlap, None)
    logits = np.empty((kept.num_points, sums[:1].shape[1] - 1), np.float32)
    for places, part in averages(kept, sums):
        logits[places] = part
    return logits


@torch.no_grad()
def answer_scene(
    network: CCNN,
    pipeline: ScanPipeline,
    path: str | PathLike[str],
    *,
    overlap: float = OVERLAP,
    rotations: int = 1,
    subsets: int = 1,
    folder: Path | None = None,
) -> SceneAnswer:
    """Predicts a class for every point of a file, in bounded memory.

    Points and sums lie in unnamed files, some 60 bytes per point and four more for each class, which disappear with the
    process in any case.

    Args:
        network: As in :func:`scene_logits`, like further arguments.
        pipeline: The pipeline of its training.
        path: The file.
        overlap: Least share of a tile that overlaps the next one.
        rotations: Number of rotations about the vertical axis that vote.
        subsets: Number of different thinnings that vote.
        folder: Folder on the disk for intermediate results; by default the system's folder for temporary files.

    Raises:
        OSError: If the file cannot be read, or the disk is full.
        ValueError: If the file is not valid, lacks a feature, or an argument is out of range.
    """
    path = Path(path)
    folder = Path(tempfile.gettempdir()) if folder is None else folder
    read = partial(
        read_chunks, path, pipeline.columns, pipeline.column_type, pipeline.label, pipeline.features
    )
    kept, sums = summed(network, pipeline, read, Votes(rotations, subsets), overlap, folder)
    kind = np.dtype([("index", "i4"), ("label", "i4"), ("probability", "f4")])
    found = FileRows(folder, kind, kept.num_points).scattered()
    found["index"], found["label"] = IGNORED, IGNORED
    codes = None if pipeline.classes is None else np.array(pipeline.classes, np.int32)
    for places, logits in averages(kept, sums):
        highest, best = torch.from_numpy(logits).softmax(dim=1).max(dim=1)
        found["index"][places] = best.numpy()
        found["label"][places] = best.numpy() if codes is None else codes[best.numpy()]
        found["probability"][places] = highest.numpy()
    return SceneAnswer(found["label"], found["probability"], found["index"])


def label_scene(
    network: CCNN,
    pipeline: ScanPipeline,
    path: str | PathLike[str],
    out: str | PathLike[str],
    *,
    overlap: float = OVERLAP,
    rotations: int = 1,
    subsets: int = 1,
) -> SceneAnswer:
    """Writes a scan with a class and its probability for every point, see :func:`write_answer`.

    The file is written all or nothing. Intermediate results lie on its disk.

    Args:
        network: As in :func:`answer_scene`, like further arguments.
        pipeline: The pipeline of its training.
        path: The scan.
        out: The file to write, in a format that :func:`~ccnn_geo.io.scans.write.write_answer` supports for the scan.
        overlap: Least share of a tile that overlaps the next one.
        rotations: Number of rotations about the vertical axis that vote.
        subsets: Number of different thinnings that vote.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If the scan is not valid, lacks a feature, or an argument is out of range.

    Example:
        >>> label_scene(network, pipeline, "scan.laz", "labelled.laz", rotations=4)  # doctest: +SKIP
    """
    path, out = Path(path), Path(out)
    check_answer(path, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    answer = answer_scene(
        network,
        pipeline,
        path,
        overlap=overlap,
        rotations=rotations,
        subsets=subsets,
        folder=out.parent,
    )
    write_answer(path, out, answer.label, answer.probability, pipeline.columns, pipeline.column_type)
    return answer
