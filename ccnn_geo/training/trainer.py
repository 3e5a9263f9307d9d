"""The Trainer with this package's checkpoints, way of stopping, and logging."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

from torch.nn import Module

from ccnn_geo._base.extras import require
from ccnn_geo.nn.norm.sync import convert_sync_norms
from ccnn_geo.training.checkpoints import AtomicCheckpointIO
from ccnn_geo.training.flags import check_nodes
from ccnn_geo.training.lightning import (
    EMAWeightAveraging,
    LayerSync,
    MisconfigurationException,
    SIGTERMException,
    TQDMProgressBar,
    Trainer,
    TrainerStatus,
)

RESERVED = (
    "logger",
    "callbacks",
    "default_root_dir",
    "num_sanity_val_steps",
    "use_distributed_sampler",
    "plugins",
)
"""Arguments of the Trainer that this package sets."""

MACHINE = ("accelerator", "devices", "num_nodes", "strategy")
"""Flags that may ask for missing hardware or libraries; Lightning does not always name them."""


class Interrupted(KeyboardInterrupt):
    """The user stopped a training, with its checkpoints in place, or an evaluation."""

    said, exit_code = "interrupted", 130


class Terminated(Interrupted):
    """Another program stopped it, by the signal SIGTERM."""

    said, exit_code = "terminated by SIGTERM", 143


class NormSync(LayerSync):
    """The effect of ``sync_batchnorm`` here: :class:`~ccnn_geo.nn.norm.sync.SyncBatchNorm1d`, on any device."""

    def apply(self, model: Module) -> Module:
        return convert_sync_norms(model)

    def revert(self, model: Module) -> Module:
        return model  # in evaluation and in a single process it is an ordinary norm


def make_trainer(
    settings: Mapping[str, Any], folder: Path, callbacks: list, logger: Any, progress: bool
) -> Trainer:
    """Makes a Trainer for this package's data modules and checkpoints.

    Args:
        settings: Its arguments, without those in :data:`RESERVED`.
        folder: Folder for its files.
        callbacks: All callbacks except a progress bar.
        logger: A logger of Lightning, or False.
        progress: Show a progress bar.

    Raises:
        ValueError: If an argument is wrong.
    """
    if progress:
        callbacks = [*callbacks, TQDMProgressBar()]
    settings = given_flags(settings)
    sync = [NormSync()] if settings.pop("sync_batchnorm", False) else []
    if same := settings.pop("overfit_batches", 0):  # Lightning would replace our samplers of (epoch, sample)
        settings["limit_train_batches"] = same
    with flags_named(settings):
        trainer = Trainer(
            **{
                "enable_model_summary": False,
                **settings,
                "enable_progress_bar": progress,
            },
            logger=logger,
            callbacks=callbacks,
            default_root_dir=folder,
            plugins=[AtomicCheckpointIO(), *sync],
            num_sanity_val_steps=0,  # else the network would see validation data before its first training batch
            use_distributed_sampler=False,  # ours distribute (epoch, sample) themselves
        )
    # with max_steps Lightning resumes within an epoch, and would repeat the end of a complete one
    vars(trainer.fit_loop)["_iteration_based_training"] = _never
    strategy: Any = trainer.strategy
    check_nodes(trainer.num_nodes, getattr(strategy, "cluster_environment", None))
    return trainer


def _never() -> bool:
    return False


def given_flags(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the Trainer that were given; null counts if it is not the default."""
    defaults = {key: argument.default for key, argument in signature(Trainer.__init__).parameters.items()}
    return {key: v for key, v in settings.items() if v is not None or defaults.get(key) is not None}


@contextmanager
def flags_named(settings: Mapping[str, Any]) -> Iterator[None]:
    """Turns Lightning's errors about flags and their requirements into errors of this package.

    Args:
        settings: The flags.

    Raises:
        ValueError: In place of ``MisconfigurationException``, and of any error in making a Trainer.
    """
    try:
        yield
    except (MisconfigurationException, TypeError, ValueError, ImportError, RuntimeError) as error:
        given = ", ".join(f"trainer.{key} {settings[key]!r}" for key in MACHINE if key in settings)
        got = f"; got {given}" if given else ""
        raise ValueError(f"trainer: {' '.join(str(error).split())}{got}") from error


def averaging(decay: float) -> list[EMAWeightAveraging]:
    """The average of the weights; buffers (batch statistics, scales, domains) stay those of the last step."""
    return [EMAWeightAveraging(decay=decay, use_buffers=False)] if decay > 0 else []


@contextmanager
def interruptible(trainer: Trainer) -> Iterator[None]:
    """Turns Lightning's exits on signals into :class:`Interrupted`, and its late findings into ``ValueError``."""
    try:
        yield
    except MisconfigurationException as error:  # such as a fraction of the batches below one
        raise ValueError(f"trainer: {' '.join(str(error).split())}") from error
    except ValueError as error:
        if "`val_check_interval`" not in str(error):
            raise
        raise ValueError(
            f"trainer.val_check_interval: expected at most {trainer.num_training_batches}, the batches of an epoch, or "
            f"check_val_every_n_epoch null to count across epochs, got {trainer.val_check_interval}"
        ) from error
    except SystemExit as error:  # Lightning's exit on Ctrl-C and SIGTERM
        if trainer.state.status != TrainerStatus.INTERRUPTED:
            raise
        ended = Terminated if isinstance(error, SIGTERMException) else Interrupted
        raise ended(ended.said) from error


def tensorboard_logger(folder: Path) -> Any:
    """A logger into ``folder/tensorboard``.

    Raises:
        ImportError: If tensorboard is not installed.
    """
    require("viz", "--tensorboard", "tensorboard")
    from pytorch_lightning.loggers import TensorBoardLogger

    return TensorBoardLogger(folder, name="tensorboard", version="")
