"""All data sets by their command-line names; each is imported on request."""

from __future__ import annotations

import importlib
from typing import Any

from ccnn_geo._base.nearest import did_you_mean

PLACES = {
    "smnist": "images.mnist:SequentialMNIST",
    "pmnist": "images.mnist:PermutedMNIST",
    "mnist": "images.mnist:MNIST",
    "scifar10": "images.cifar:SequentialCIFAR10",
    "speech_mfcc": "audio.speech_commands:SpeechCommandsMFCC",
    "speech_raw": "audio.speech_commands:SpeechCommandsRaw",
    "speech_half": "audio.speech_commands:SpeechCommandsHalf",
    "listops": "text.listops:ListOps",
    "text": "text.imdb:IMDBText",
    "image": "images.cifar:LRAImage",
    "pathfinder": "images.pathfinder:Pathfinder",
    "pathx": "images.pathfinder:PathX",
    "cifar10": "images.cifar:CIFAR10",
    "cifar100": "images.cifar:CIFAR100",
    "stl10": "images.stl10:STL10",
    "image2d": "images.cifar:LRAImage2D",
    "pathfinder2d": "images.pathfinder:Pathfinder2D",
    "modelnet40": "shapes.modelnet:ModelNet40",
    "modelnet10": "shapes.modelnet:ModelNet10",
    "modelnet10_voxels": "shapes.modelnet_voxels:ModelNet10Voxels",
    "parametric": "shapes.parametric_shapes:ParametricShapes",
    "folder": "shapes.shape_folder:ShapeFolder",
    "parts": "shapes.part_folder:PartFolder",
    "image_folder": "images.image_folder:ImageFolder",
    "wav_folder": "audio.wav_folder:WavFolder",
    "csv_series": "series.csv_series:CSVSeries",
    "physionet2012": "series.physionet2012:PhysioNet2012",
    "lidar": "scenes.lidar:LidarFrames",
    "clouds": "clouds.clouds:Clouds",
}
"""Module and class of each name, in listing order."""


def dataset_class(name: str) -> Any:
    """Returns the class with a name.

    Raises:
        ValueError: For an unknown name.
    """
    if name not in PLACES:
        raise ValueError(
            f"data.dataset: expected one of {', '.join(PLACES)}, got {name!r}{did_you_mean(name, PLACES)}"
        )
    module, _, cls = PLACES[name].partition(":")
    return getattr(importlib.import_module(f"ccnn_geo.datasets.{module}"), cls)
