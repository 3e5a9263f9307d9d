"""Trains a small network and is killed, interrupted, loses a worker or runs out of disk on the way: what happened."""

import csv
import os
import re
import select
import shutil
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from forks import Ended, die, files, fill_disk, fork, import_all, start, unfinished, wait, watch

from ccnn_geo.cli import main
from ccnn_geo.training.data.epochs import EpochDataset
from ccnn_geo.training.module import Classifier
from ccnn_geo.visualization import run_plots

CONFIG = """\
name: tiny
model: {hidden_channels: 4, num_blocks: 1, kernel_hidden: 4, omega_0: 0.5, window_init: 0.3, num_neighbors: 8,
        dropout: 0.1}
optim: {lr: 0.02, warmup_epochs: 1}
data: {dataset: folder, root: shapes, num_points: 24, num_samples: 32, batch_size: 8, augment: {jitter: 0.01}}
trainer: {max_epochs: 2, accelerator: cpu}
"""
TRAIN = ("train", "--config", "tiny.yaml")
CHECKPOINTS = Path("run/checkpoints")


def write_project() -> None:
    """Balls and discs of 32 points."""
    rng = np.random.default_rng(0)
    for name, height in (("ball", 1), ("disc", 0.05)):
        folder = Path("shapes/train") / name
        folder.mkdir(parents=True)
        for i in range(10):
            normal = rng.normal(size=(32, 3))
            normal /= np.linalg.norm(normal, axis=1, keepdims=True)
            np.save(folder / f"{i}.npy", np.concatenate([normal * [1, 1, height], normal], axis=1))
    Path("tiny.yaml").write_text(CONFIG)


def command(*arguments: str) -> int:
    return main(arguments)


def outcome() -> dict:
    """Rows of the metrics and the weights of the last epoch."""
    with Path("run/metrics.csv").open() as file:
        rows = [
            {key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)
        ]
    state = torch.load(CHECKPOINTS / "last.ckpt", weights_only=True)["state_dict"]
    best = torch.load(CHECKPOINTS / "best.ckpt", weights_only=True)["state_dict"]
    return {"rows": rows, "last": _plain(state), "best": _plain(best)}


def _plain(state: dict[str, torch.Tensor]) -> dict:
    return {name: value.tolist() for name, value in state.items()}


def killed(name: str, time: int, half: bool) -> int:
    """Trains until a file is about to get its name for the n-th time."""
    times = 0

    def found(event: str, path: Path) -> None:
        nonlocal times
        if event == "os.rename" and path.name == name:
            times += 1
            if times == time:
                die(unfinished(path) if half else None)

    watch(Path.cwd(), found)
    return command(*TRAIN, "--out", "run")


def killed_within_an_epoch() -> int:
    step = Classifier.training_step

    def training_step(self, batch, batch_idx):
        if (self.current_epoch, batch_idx) == (1, 1):
            die()
        return step(self, batch, batch_idx)

    Classifier.training_step = training_step
    return command(*TRAIN, "--out", "run")


def waiting_for_the_key() -> int:
    """In the second epoch nothing is done until Ctrl-C is pressed."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background
    step = Classifier.training_step

    def training_step(self, *args):
        if self.current_epoch == 1:
            Path("waiting").touch()
            while True:
                time.sleep(0.01)
        return step(self, *args)

    Classifier.training_step = training_step
    return command(*TRAIN, "--out", "run")


def press(pid: int, read: int) -> None:
    """Ctrl-C once a fork waits for it, or has ended without."""
    while not Path("waiting").exists() and not select.select([read], [], [], 0.01)[0]:
        pass
    os.kill(pid, signal.SIGINT)


def without_space() -> int:
    """The disk is full when the second epoch's checkpoint is written."""
    times = 0

    def found(event: str, path: Path) -> None:
        nonlocal times
        times += event == "open" and path.name.startswith(".last.ckpt")
        if times == 2:
            fill_disk(2000)

    watch(Path.cwd(), found)
    return command(*TRAIN, "--out", "run")


def losing_a_worker(end: str) -> int:
    """In the second epoch a process that loads batches ends."""
    real = EpochDataset.__getitem__

    def item(self, key):
        if torch.utils.data.get_worker_info() is not None and key[0] == 1:
            if end == "error":
                raise ValueError("no such shape:\n  disc/3.npy")
            die()
        return real(self, key)

    EpochDataset.__getitem__ = item
    return command(*TRAIN, "--out", "run", "--data.num_workers", "2")


def flip_a_bit(path: Path) -> None:
    """In the middle of the largest part of the archive."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = max(archive.infolist(), key=lambda m: m.file_size)
    begin = member.header_offset
    name, extra = (int.from_bytes(content[begin + k : begin + k + 2], "little") for k in (26, 28))
    content[begin + 30 + name + extra + member.file_size // 2] ^= 1
    path.write_bytes(content)


def trial(*function_and_arguments, meanwhile: Callable[[int, int], None] | None = None) -> dict:
    """What a start that ends badly leaves, and what the next one makes of it."""
    shutil.rmtree("run", ignore_errors=True)
    process = start(*function_and_arguments)
    if meanwhile is not None:
        meanwhile(*process)
    ended = wait(*process)
    left = sorted(files(CHECKPOINTS)) if CHECKPOINTS.exists() else []
    place = ["--resume", "run"] if (CHECKPOINTS / "last.ckpt").exists() else ["--out", "run"]
    then = fork(command, "train", *([] if place[0] == "--resume" else TRAIN[1:]), *place)
    result = {**said(ended), "left": left, "resumed": place[0], "then": said(then), "outcome": outcome()}
    return result | {"afterwards": sorted(files(CHECKPOINTS))}


def said(ended: Ended) -> dict:
    code = ended.result if ended.code == 0 else ended.code
    return {"code": code, "errors": ended.errors, "epochs": re.findall(r"epoch (\d+)/", ended.output)}


def damaged() -> dict:
    """The last checkpoint of a whole run is damaged, then the one before as well."""
    shutil.rmtree("run")
    shutil.copytree("whole", "run")
    flip_a_bit(CHECKPOINTS / "last.ckpt")
    before = files(Path("run"))
    resume = ("train", "--resume", "run")
    refused, untouched = said(fork(command, *resume)), files(Path("run")) == before
    then = fork(command, *resume, "--fallback")
    result = {"refused": refused, "untouched": untouched, "then": said(then), "said": then.output}
    result["outcome"] = outcome()
    for name in ("last", "previous"):
        flip_a_bit(CHECKPOINTS / f"{name}.ckpt")
    return result | {"both": said(fork(command, *resume, "--fallback"))}


def all_trials() -> dict:
    run_plots.draw_training = lambda *_: None  # most of the time of so small a run
    write_project()
    ended = fork(lambda: (command(*TRAIN, "--out", "run"), list(sys.modules)))
    import_all(ended.result[1])
    result = {"whole": {**said(ended._replace(result=ended.result[0])), "outcome": outcome()}}
    shutil.copytree("run", "whole")
    result["first"] = trial(killed, "last.ckpt", 1, False)
    result["checkpoint"] = trial(killed, "last.ckpt", 2, True)
    result["step"] = trial(killed_within_an_epoch)
    result["interrupted"] = trial(waiting_for_the_key, meanwhile=press)
    result["disk"] = trial(without_space)
    result["worker"] = trial(losing_a_worker, "killed")
    shutil.rmtree("run")
    result["error"] = said(fork(losing_a_worker, "error"))
    result["damaged"] = damaged()
    return result
