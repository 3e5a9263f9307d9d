"""Loads trained networks and predicts for single samples."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import torch

from ccnn_geo.export.answers import Answer
from ccnn_geo.export.classifier import read_classifier
from ccnn_geo.export.packaged import packaged_folder
from ccnn_geo.export.predictor import Predictor, check_device
from ccnn_geo.io.models.hub import find_folder, may_be_on_hub


def predict(
    model: Predictor | str | PathLike[str],
    source: Any,
    device: torch.device | str = "cpu",
) -> Answer:
    """Predicts for one sample, prepared as in the training.

    The same source gives the same prediction: points of a shape are chosen with a fixed seed. A data set chooses other
    points, by the name of each file, so its accuracy may differ by a few samples.

    Args:
        model: Any source for :func:`load`, or its result, to load the network only once.
        source: A file of the kind that the network was trained on, or its content:

            * for **shapes** an array, a ``Data`` with ``pos`` and perhaps ``face`` or ``normal``, or an object of
              trimesh or open3d (see :func:`ccnn_geo.io.as_shape`);
            * for **images** an array ``[H, W]`` or ``[H, W, C]`` or a tensor ``[C, H, W]``, of bytes, or a Pillow
              image;
            * for **recordings** a pair of samples ``[C, T]`` in [-1, 1] and their rate;
            * for **scans** a :class:`~ccnn_geo.io.Frame`, and for **clouds** with targets a ``Cloud``;
            * for **series** a pair of times ``[N]`` and values ``[N, V]``, NaN where nothing was observed.
        device: Device for a loaded network.

    Shapes:
        - **array of a shape:** :math:`(N, 3)`, positions in any unit, or :math:`(N, 6)`, with normals of length
          one; colours in place of normals are left out
        - **data:** ``pos`` :math:`(N, 3)`, ``face`` :math:`(3, F)`, ``normal`` :math:`(N, 3)`

    Returns:
        A :class:`~ccnn_geo.export.Prediction`; a :class:`~ccnn_geo.export.PointPrediction` for a class
        per point; a :class:`~ccnn_geo.export.ValuePrediction` for a regression.

    Raises:
        FileNotFoundError: If there is no such checkpoint or file.
        ShapeError: If a file or object is not a valid shape.
        ValueError: If the checkpoint, the file or the object does not fit.
        TypeError: If the source has another type.
    """
    predictor = model if isinstance(model, Predictor) else load(model, device)
    return predictor(source)


def load_classifier(
    source: str | PathLike[str], revision: str | None = None, device: torch.device | str = "cpu", **hub: Any
) -> Predictor:
    """Loads a classifier from a folder or the Hugging Face hub, for use with :func:`~ccnn_geo.predict`.

    Args:
        source: The folder, or ``user/name`` on the hub (extra ``hub``).
        revision: Branch, tag or commit on the hub.
        device: Device for the network.
        **hub: Further arguments of :func:`huggingface_hub.snapshot_download`.

    Raises:
        FileNotFoundError: If it is neither here nor on the hub.
        ImportError: If it may be on the hub, but the extra is not installed.
        ValueError: If the folder is damaged, of a newer format, or does not contain the preparation of samples.
    """
    check_device(device)
    folder = find_folder(source, revision, **hub)
    return Predictor.of(*read_classifier(folder), folder, device)


def load(
    source: str | PathLike[str], device: torch.device | str = "cpu", revision: str | None = None, **hub: Any
) -> Predictor:
    """Loads a trained network with the preparation of its samples, from any source, ready to be called.

    Args:
        source: A checkpoint of ``ccnn-geo train``, the folder of a run (its best checkpoint) or of ``ccnn-geo
            export``, the name of a network that comes with the package (``ccnn-geo models``), or ``user/name`` on the
            Hugging Face hub (extra ``hub``), in this order.
        device: Device for the network.
        revision: Branch, tag or commit on the hub.
        **hub: Further arguments of :func:`huggingface_hub.snapshot_download`.

    Raises:
        FileNotFoundError: If it is neither here nor on the hub.
        ImportError: If it may be on the hub, but the extra is not installed.
        ValueError: If it is something else, damaged, of another release, or lacks the preparation of samples; if
            there is no such device, or a revision is given for a local source.

    Example:
        >>> model = load("runs/demo")  # doctest: +SKIP
        >>> model("chair.off").label  # doctest: +SKIP
        'chair'
    """
    source = packaged_folder(source) or source
    path = Path(source).expanduser()
    elsewhere = revision is not None or (may_be_on_hub(source) and path.suffix != ".ckpt")
    if elsewhere and not path.exists():
        return load_classifier(source, revision, device, **hub)
    if revision is not None:
        raise ValueError(f"{source}: a local source has no revisions, got revision={revision!r}")
    return Predictor.load(source, device)
