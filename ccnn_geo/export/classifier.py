"""A trained classifier in a folder: its network, the names of its classes, and the preparation of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ccnn_geo.io.files.left_out import told_number
from ccnn_geo.io.models.folder import CONFIG, Writer, read_config, write_folder
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.targets import Targets

TRAINING = (
    *("root", "batch_size", "num_workers", "neighbor_cache", "limit"),
    *("validation_fraction", "augment"),
)
"""Settings of data that only concern the training and its machine."""


def save_classifier(
    folder: str | PathLike[str],
    network: CCNN,
    classes: Sequence[str],
    data: Mapping[str, Any],
    overwrite: bool = False,
    files: Mapping[str, Writer] | None = None,
    program: Mapping[str, Any] | None = None,
    pipeline: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
    targets: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a classifier to a folder, all or nothing.

    :meth:`CCNN.from_pretrained <ccnn_geo.nn.ccnn.CCNN.from_pretrained>` reads its network, :func:`load_classifier` and
    ``ccnn-geo predict`` the whole.

    Args:
        folder: A new or empty folder.
        network: The trained network.
        classes: Names of its outputs.
        data: Settings of the data, plain values.
        overwrite: Replace the model of a folder that is not empty; other files stay.
        files: Files to write beside the configuration; the weights by default.
        program: Facts that users of a program without this package need.
        pipeline: Preparation of a sample from a file, such as
            :meth:`ShapePipeline().settings() <ccnn_geo.transforms.ShapePipeline>`; None if there is none, and for
            shapes to use ``data``.
        about: Facts for people, plain values.
        targets: For a regression the plain values of :class:`~ccnn_geo.nn.Targets`; it has no classes.

    Raises:
        ValueError: If the numbers of classes and outputs differ, or the folder is not empty.
    """
    _check_outputs(network, classes, targets, "save_classifier")
    kept = {key: value for key, value in data.items() if key not in TRAINING and value is not None}
    known: dict[str, Any] = {"classes": list(classes), "data": kept}
    known |= {} if targets is None else {"targets": dict(targets)}
    known |= {} if pipeline is None else {"pipeline": dict(pipeline)}
    config = {"network": network.checked_config(), "classifier": known}
    config |= {} if about is None else {"about": dict(about)}
    config |= {} if program is None else {"program": dict(program)}
    folder = Path(folder).expanduser()
    write_folder(folder, config, network.weight_files() if files is None else files, overwrite)
    return folder


def is_pretrained(path: str | PathLike[str]) -> bool:
    """Whether a path is a folder of ``save_pretrained`` or :func:`save_classifier`, not a checkpoint or a run."""
    return (Path(path).expanduser() / CONFIG).is_file()


def read_classifier(folder: str | PathLike[str]) -> tuple[dict[str, Any], CCNN]:
    """Settings, in the form of a checkpoint, and network of a folder.

    Raises:
        FileNotFoundError: If it is not such a folder.
        ValueError: If it is damaged, of a newer format, or holds only a network.
    """
    folder = Path(folder).expanduser()
    config = read_config(folder)
    found = config.get("classifier")
    if found is None:
        raise ValueError(
            f"{folder / CONFIG}: a {config.get('model', 'CCNN')} without classes; expected a folder written by "
            "save_classifier or ccnn-geo export"
        )
    missing = {"classes", "data"} - set(found)
    if missing:
        raise ValueError(f"{folder / CONFIG}: damaged, the classifier lacks {', '.join(sorted(missing))}")
    network = CCNN.from_config(config, folder)
    _check_outputs(network, found["classes"], found.get("targets"), f"{folder / CONFIG}")
    settings = {
        "classes": list(found["classes"]),
        "binary": network.out_channels == 1 and not found.get("targets"),
        "in_channels": network.in_channels,
        "dim": network.dim,
        "readout": network.readout,
        "network": config["network"],
        "data": dict(found["data"]),
        "pipeline": found.get("pipeline"),
        "targets": found.get("targets"),
    }
    return settings, network


def _check_outputs(
    network: CCNN, classes: Sequence[str], targets: Mapping[str, Any] | None, where: str
) -> None:
    if targets is not None:
        names = Targets.from_plain(targets).names
        if len(names) != network.out_channels or len(classes):
            raise ValueError(
                f"{where}: {len(names)} targets and {len(classes)} classes, expected {network.out_channels} and none"
            )
        return
    expected = 2 if network.out_channels == 1 else network.out_channels
    if len(classes) != expected:
        raise ValueError(
            f"{where}: {told_number(len(classes), 'class', 'classes')}, expected {expected} for "
            f"{told_number(network.out_channels, 'output')}"
        )
