"""The pages' command for two nodes, as two ``torchrun`` on this machine, and what the rest says when one is lost."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ccnn_geo.training.callbacks import read_metrics
from tests.fixtures.commands import environment

TORCHRUN = shutil.which("torchrun", path=str(Path(sys.executable).parent)) or shutil.which("torchrun")
pytestmark = [
    pytest.mark.skipif(TORCHRUN is None, reason="no torchrun beside this Python"),
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds a process by /proc"),
]
SAME = (
    "--config",
    "tiny.yaml",
    "--model.dropout",
    "0",
    "--optim.kernel_l2",
    "0",
    "--optim.warmup_share",
    "1",
)
EPOCHS = "--trainer.max_epochs"
BOUND = 120
"""Seconds in which all must have happened, many times what it takes."""


def node(rank: int, port: int, out: str) -> subprocess.Popen:
    where = ("--master_addr", "127.0.0.1", "--master_port", str(port))
    sizes = ("--nnodes", "2", "--nproc_per_node", "1", "--node_rank", str(rank))
    run = ("--out", out, "--trainer.devices", "1", "--trainer.num_nodes", "2", "--trainer.strategy", "ddp")
    more = ("--trainer.sync_batchnorm", "true", "--data.batch_size", "4", EPOCHS, "100000")
    with Path(f"{rank}.out").open("w") as output, Path(f"{rank}.err").open("w") as errors:
        return subprocess.Popen(
            [str(TORCHRUN), *sizes, *where, "-m", "ccnn_geo.cli", "train", *SAME, *run, *more],
            stdout=output,
            stderr=errors,
            env=environment(),
            start_new_session=True,
        )


def worker(agent: subprocess.Popen) -> int:
    """The process that torchrun has started."""
    return int(Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()[0])


def end(agent: subprocess.Popen) -> None:
    if agent.poll() is None:
        os.killpg(agent.pid, signal.SIGKILL)  # torchrun's own session, in which its worker may still be
        agent.wait()


def test_two_nodes_compute_what_one_process_does_and_end_when_one_is_killed(project, run_cli, no_pictures):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    nodes = [node(rank, port, "two") for rank in range(2)]
    try:
        assert run_cli("train", *SAME, "--out", "one", EPOCHS, "2")[0] == 0  # meanwhile
        started = time.monotonic()
        while not Path("two/checkpoints/last.ckpt").exists():
            assert time.monotonic() < started + BOUND
            assert [n.poll() for n in nodes] == [None, None], Path("0.err").read_text()
            time.sleep(0.05)
        os.kill(worker(nodes[1]), signal.SIGKILL)
        codes = [n.wait(BOUND) for n in nodes]
    finally:
        for agent in nodes:
            end(agent)
    assert 0 not in codes
    lost = next(line for line in Path("0.err").read_text().splitlines() if line.startswith("ccnn-geo: "))
    assert lost.startswith("ccnn-geo: another process of this run has ended or cannot be reached (")
    assert lost.endswith("; continue with: ccnn-geo train --resume two")
    # the learning rate of the first epoch is that of the warm-up, of however many epochs
    one, two = (read_metrics(Path(run, "metrics.csv"))[0] for run in ("one", "two"))
    keys = ["step", "lr", "train_loss", "train_acc", *(key for key in one if key.startswith("window_"))]
    assert [float(two[k]) for k in keys] == pytest.approx([float(one[k]) for k in keys], abs=1e-4)
    assert Path("1.out").read_text() == "" and "epoch 1/100000" in Path("0.out").read_text()
