"""How batches are loaded: which processes load them, and for which device."""

from __future__ import annotations

import os

import torch

from ccnn_geo.training.lightning import Trainer

MOST_WORKERS = 8
"""Processes that load batches for a GPU, at most."""


def trains_on_gpu(trainer: Trainer | None) -> bool:
    """Whether batches go to a CUDA device."""
    return trainer is not None and trainer.strategy.root_device.type == "cuda"


def number_of_workers(asked: int | None, trainer: Trainer | None) -> int:
    """Processes that load batches.

    By default none on a CPU, whose cores have enough to do. A GPU would wait for them: there it is a core's each, but
    for one, of the cores that processes of a machine share. Where processes are not forked there are none by default,
    for they import the program again, which must be written for it.

    Args:
        asked: By the user, whose word counts; None for the default.
        trainer: What trains.
    """
    if asked is not None:
        return asked
    # torch has a name for the default only once somebody has asked for it, which settles it
    settled = torch.multiprocessing.get_start_method(allow_none=True)
    start = settled or torch.multiprocessing.get_all_start_methods()[0]
    if trainer is None or not trains_on_gpu(trainer) or start != "fork":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_WORKERS, cores // max(1, trainer.num_devices) - 1))
