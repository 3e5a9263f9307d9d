"""All data sets by the name that the command line gives them; each is imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import Any

PLACES = {
    "smnist": "mnist:SequentialMNIST",
    "pmnist": "mnist:PermutedMNIST",
    "mnist": "mnist:MNIST",
    "scifar10": "cifar:SequentialCIFAR10",
    "speech_mfcc": "speech_commands:SpeechCommandsMFCC",
    "speech_raw": "speech_commands:SpeechCommandsRaw",
    "speech_half": "speech_commands:SpeechCommandsHalf",
    "listops": "listops:ListOps",
    "text": "imdb:IMDBText",
    "image": "cifar:LRAImage",
    "pathfinder": "pathfinder:Pathfinder",
    "pathx": "pathfinder:PathX",
    "cifar10": "cifar:CIFAR10",
    "cifar100": "cifar:CIFAR100",
    "stl10": "stl10:STL10",
    "image2d": "cifar:LRAImage2D",
    "pathfinder2d": "pathfinder:Pathfinder2D",
    "modelnet40": "modelnet:ModelNet40",
    "modelnet10": "modelnet:ModelNet10",
    "modelnet10_voxels": "modelnet_voxels:ModelNet10Voxels",
    "parametric": "parametric_shapes:ParametricShapes",
    "folder": "shape_folder:ShapeFolder",
    "image_folder": "image_folder:ImageFolder",
    "wav_folder": "wav_folder:WavFolder",
    "csv_series": "csv_series:CSVSeries",
    "physionet2012": "physionet2012:PhysioNet2012",
    "lidar": "lidar:LidarFrames",
}
"""Module and class of each name, in the order in which they are listed."""


def dataset_class(name: str) -> Any:
    """The class of a name.

    Raises:
        ValueError: For an unknown name.
    """
    if name not in PLACES:
        raise ValueError(f"data set: expected one of {', '.join(PLACES)}, got {name!r}")
    module, _, cls = PLACES[name].partition(":")
    return getattr(importlib.import_module(f"ccnn_geo.datasets.{module}"), cls)
