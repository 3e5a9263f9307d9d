"""``--trainer.deterministic true``: runs of the command are bitwise the same, with loading processes and without."""

import csv
from pathlib import Path

import fake_data
import pytest
import torch

GRIDS = """\
model: {hidden_channels: 8, num_blocks: 1, kernel_hidden: 4, omega_0: 5.0, window_init: 0.2, dropout: 0.1}
optim: {lr: 0.05, warmup_epochs: 1, kernel_l2: 0.0001}
trainer: {gradient_clip_val: 1.0, accelerator: cpu}
"""
SEQUENCES = "data: {dataset: tones, root: ., batch_size: 8, augment: {noise: [10.0, 20.0]}}\n"


@pytest.fixture
def train(project, run_cli, monkeypatch, no_pictures):
    """Trains for two epochs and returns the rows of metrics.csv, but for times, and the weights."""
    fake_data.register(monkeypatch, project)
    (project / "sequences.yaml").write_text(GRIDS + SEQUENCES)

    def call(config: str, out: str, *options: str) -> tuple[list[dict[str, str]], dict[str, torch.Tensor]]:
        given = ["train", "--config", f"{config}.yaml", "--out", out, "--trainer.max_epochs", "2", *options]
        try:
            code, _, errors = run_cli(*given, "--trainer.deterministic", "true")
        finally:
            torch.use_deterministic_algorithms(False)
        assert (code, errors) == (0, "")
        run = Path(project, out)
        with (run / "metrics.csv").open() as file:
            rows = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
        return rows, torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]

    return call


@pytest.mark.parametrize(("config", "workers"), [("tiny", "1"), ("sequences", "0")])
def test_runs_are_bitwise_the_same(config, workers, train):
    """Points by nearest neighbours, of which a process of its own loads the second time, and grids."""
    rows, weights = train(config, "first")
    others, again = train(config, "second", "--data.num_workers", workers)
    assert rows == others and len(rows) == 2
    assert weights.keys() == again.keys() and all(torch.equal(weights[name], again[name]) for name in weights)
    if config == "sequences":  # another seed is another run: what is compared is not a constant
        assert train(config, "third", "--seed", "1")[0][0] != rows[0]
