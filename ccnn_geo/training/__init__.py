"""Training on Lightning: the module, its optimiser and tasks, and a data module for each family of data.

Names are imported when they are used: reading a trained network needs parts of this folder, but not Lightning.
"""

from typing import TYPE_CHECKING

from ccnn_geo._base.lazy import lazy_names
from ccnn_geo._base.moved import keep_old_paths

if TYPE_CHECKING:
    from ccnn_geo.training.data.base import EpochDataModule as EpochDataModule
    from ccnn_geo.training.data.families import data_module as data_module
    from ccnn_geo.training.data.grids import GridAugmentation as GridAugmentation
    from ccnn_geo.training.data.grids import GridsDataModule as GridsDataModule
    from ccnn_geo.training.data.points import PointsDataModule as PointsDataModule
    from ccnn_geo.training.data.registry import RegistryDataModule as RegistryDataModule
    from ccnn_geo.training.data.shapes import ShapesDataModule as ShapesDataModule
    from ccnn_geo.training.module import Classifier as Classifier
    from ccnn_geo.training.module import Learner as Learner
    from ccnn_geo.training.optim import decay_groups as decay_groups
    from ccnn_geo.training.run import test as test
    from ccnn_geo.training.run import train as train
    from ccnn_geo.training.schedule import Schedule as Schedule
    from ccnn_geo.training.schedule import warmup_cosine as warmup_cosine
    from ccnn_geo.training.statistics import NormStatistics as NormStatistics
    from ccnn_geo.training.tasks.base import Task as Task
    from ccnn_geo.training.tasks.classes import Classification as Classification
    from ccnn_geo.training.tasks.classes import Segmentation as Segmentation
    from ccnn_geo.training.tasks.regression import Regression as Regression
    from ccnn_geo.training.tasks.scores import RegressionScores as RegressionScores
    from ccnn_geo.training.tasks.scores import Scores as Scores
    from ccnn_geo.training.tasks.scores import SegmentationScores as SegmentationScores

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "training.data.base": "EpochDataModule",
        "training.data.families": "data_module",
        "training.data.grids": "GridAugmentation GridsDataModule",
        "training.data.points": "PointsDataModule",
        "training.data.registry": "RegistryDataModule",
        "training.data.shapes": "ShapesDataModule",
        "training.module": "Classifier Learner",
        "training.optim": "decay_groups",
        "training.run": "test train",
        "training.schedule": "Schedule warmup_cosine",
        "training.statistics": "NormStatistics",
        "training.tasks.base": "Task",
        "training.tasks.classes": "Classification Segmentation",
        "training.tasks.regression": "Regression",
        "training.tasks.scores": "RegressionScores Scores SegmentationScores",
    },
)

keep_old_paths(__path__)
