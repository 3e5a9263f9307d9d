"""Silences third-party messages that users of this package can do nothing about."""

from __future__ import annotations

import logging
import warnings

_MESSAGES = (
    # small data in memory need no workers; --data.num_workers serves the rest
    r".*does not have many workers.*",
    r".*The number of training batches .* is smaller than the logging interval.*",
    # our runs resume at epoch ends only
    r".*Checkpoint directory .* exists and is not empty.*",
    # the time spent matters only if max_time is still set
    r"Be aware that when using `ckpt_path`, callbacks used to create the checkpoint .*\['Timer'\]\.",
    # our line on a diverged training reports it
    r"Encountered `nan` values in tensor\. Will be removed\.",
    # the values we log at the end of an epoch already agree in all processes
    r".*It is recommended to use `self\.log\('(val|test)_\w+', .* sync_dist=True\)`.*",
    r".*It is recommended to use `self\.log\('window_\d+', .* sync_dist=True\)`.*",
    # weights with an axis of length 1, where the stride means nothing
    r"Grad strides do not match bucket view strides.*",
    # these networks are never sharded
    r".*WeightAveraging callback with a model that overrides the configure_model.*",
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",
    r".*torch\.jit\..* is deprecated.*",
)


_LOGGERS = (
    "pytorch_lightning.utilities.rank_zero",
    "lightning.pytorch.utilities.rank_zero",
    # "[rank: 0] Received SIGTERM: 15", before our own line
    "pytorch_lightning.trainer.connectors.signal_connector",
)


def quiet() -> None:
    """Filters these warnings, and Lightning's banners on devices, tips and signals."""
    for message in _MESSAGES:
        warnings.filterwarnings("ignore", message=message)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
