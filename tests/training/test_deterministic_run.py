"""``--trainer.deterministic true``: two runs of the command are bitwise the same."""

import csv
from pathlib import Path

import torch


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_two_runs_are_bitwise_the_same(project, run_cli):
    for out in ("first", "second"):
        arguments = ["train", "--config", "tiny.yaml", "--out", out, "--trainer.deterministic", "true"]
        code, _, errors = run_cli(*arguments, "--trainer.max_epochs", "2")
        assert (code, errors) == (0, "")
        assert (
            not torch.are_deterministic_algorithms_enabled()
            or torch.use_deterministic_algorithms(False) is None
        )
    first, second = project / "first", project / "second"
    assert rows(first) == rows(second) and len(rows(first)) == 2
    a, b = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (first, second)
    )
    assert all(torch.equal(a[name], b[name]) for name in a)
    # another seed is another run: what is compared is not a constant
    code, _, _ = run_cli(
        "train", "--config", "tiny.yaml", "--out", "third", "--seed", "1", "--trainer.max_epochs", "1"
    )
    assert code == 0 and rows(project / "third")[0] != rows(first)[0]
