"""Names of Lightning, torchmetrics and PyYAML; all training code imports them from here.

Without the extra ``train`` one line reports it, whichever module is imported first.
"""

from ccnn_geo._base.extras import needs, require

require("train", "ccnn_geo.training")  # names all missing packages at once
with needs("train", "ccnn_geo.training"):
    import yaml
    from lightning_fabric.plugins.environments import ClusterEnvironment, LightningEnvironment
    from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
    from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
    from pytorch_lightning.callbacks import (
        Checkpoint,
        EMAWeightAveraging,
        Timer,
        TQDMProgressBar,
        WeightAveraging,
    )
    from pytorch_lightning.plugins import LayerSync
    from pytorch_lightning.trainer.states import TrainerFn, TrainerStatus
    from pytorch_lightning.utilities import rank_zero_only
    from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException
    from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
    from torchmetrics import MeanMetric, Metric
    from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

__all__ = [
    "Callback",
    "Checkpoint",
    "ClusterEnvironment",
    "EMAWeightAveraging",
    "LayerSync",
    "LightningDataModule",
    "LightningEnvironment",
    "LightningModule",
    "MeanMetric",
    "Metric",
    "MisconfigurationException",
    "MulticlassAccuracy",
    "MulticlassConfusionMatrix",
    "OptimizerLRSchedulerConfig",
    "SIGTERMException",
    "TQDMProgressBar",
    "Timer",
    "TorchCheckpointIO",
    "Trainer",
    "TrainerFn",
    "TrainerStatus",
    "WeightAveraging",
    "rank_zero_only",
    "yaml",
]
