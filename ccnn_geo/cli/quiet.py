"""Silences what third parties say and users of this package can do nothing about."""

from __future__ import annotations

import logging
import warnings

_MESSAGES = (
    # small data in memory needs no workers; --data.num_workers is there for the rest
    r".*does not have many workers.*",
    r".*The number of training batches .* is smaller than the logging interval.*",
    # ours resume at epoch ends only
    r".*Checkpoint directory .* exists and is not empty.*",
    # the time that is spent counts only where there still is a max_time
    r"Be aware that when using `ckpt_path`, callbacks used to create the checkpoint .*\['Timer'\]\.",
    # the line on a training that has diverged says it
    r"Encountered `nan` values in tensor\. Will be removed\.",
    # what we log at the end of an epoch is the same in all processes already
    r".*It is recommended to use `self\.log\('(val|test)_\w+', .* sync_dist=True\)`.*",
    r".*It is recommended to use `self\.log\('window_\d+', .* sync_dist=True\)`.*",
    # of weights with an axis of length 1, whose stride means nothing
    r"Grad strides do not match bucket view strides.*",
    # nothing of these networks is sharded
    r".*WeightAveraging callback with a model that overrides the configure_model.*",
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",
    r".*torch\.jit\..* is deprecated.*",
)


_LOGGERS = (
    "pytorch_lightning.utilities.rank_zero",
    "lightning.pytorch.utilities.rank_zero",
    # "[rank: 0] Received SIGTERM: 15", before the line of ours
    "pytorch_lightning.trainer.connectors.signal_connector",
)


def quiet() -> None:
    """Filters those warnings, and Lightning's banners on devices, tips and signals."""
    for message in _MESSAGES:
        warnings.filterwarnings("ignore", message=message)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
