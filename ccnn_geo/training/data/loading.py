"""Processes that load batches, and whether these go to a GPU."""

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
    """The number of processes that load batches.

    By default there are none on a CPU, whose cores are busy with the training. On a GPU there is one per core except
    the first, 8 at most; the trainings of one machine share its cores. If Python starts processes in another way than
    by a fork, there are none by default: these import the user's program again, which must be written for it.

    Args:
        asked: The user's number, which always counts; None for the default.
        trainer: The trainer that asks, if any.
    """
    if asked is not None:
        return asked
    # without allow_none the question itself would fix the answer
    settled = torch.multiprocessing.get_start_method(allow_none=True)
    start = settled or torch.multiprocessing.get_all_start_methods()[0]
    if trainer is None or not trains_on_gpu(trainer) or start != "fork":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_WORKERS, cores // max(1, trainer.num_devices) - 1))
