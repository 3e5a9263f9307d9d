import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.training.commands import command, environment
from tests.training.shapes_on_disk import write_clouds

CONFIG = """\
name: tiny
model: {hidden_channels: 8, num_blocks: 1, kernel_hidden: 4, omega_0: 0.5, window_init: 0.3, num_neighbors: 8,
        dropout: 0.1}
optim: {lr: 0.02, warmup_epochs: 1, label_smoothing: 0.1, kernel_l2: 0.0001}
data: {dataset: folder, root: shapes, num_points: 48, num_samples: 64, batch_size: 8,
       augment: {shift: 0.1, scale: [0.8, 1.2], jitter: 0.01}}
trainer: {max_epochs: 4, gradient_clip_val: 1.0, accelerator: cpu}
"""


@pytest.fixture(autouse=True)
def one_thread():
    """Two busy cores and clouds of 64 points: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A working folder with tiny.yaml and shapes/<split>/<class>/*.npy."""
    write_clouds(tmp_path / "shapes", {"train": 12, "test": 4})
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cli(tmp_path) -> Callable[..., subprocess.CompletedProcess]:
    """Runs ccnn-geo in a process of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            command(*arguments), cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
        )

    return run


@pytest.fixture
def run_cli(capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs ccnn-geo in this process: exit code, output, errors."""
    from ccnn_geo.cli import main

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        return code, *capsys.readouterr()

    return run
