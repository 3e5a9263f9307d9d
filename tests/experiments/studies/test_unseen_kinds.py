"""The study of unseen kinds: what each training sees, what committees and votes say, and the table."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from ccnn_geo.experiments.data.kind_folds import HEADER, KINDS
from ccnn_geo.experiments.engine.reproduction import Options
from ccnn_geo.experiments.studies import held_out, unseen_kinds, votes
from ccnn_geo.experiments.studies.point_peers import METHODS, settings
from tests.fixtures.shapes_on_disk import write_clouds

CLASSES, OWN = ("blade", "plant"), ("a", "b", "c", "d")


@pytest.fixture
def root(tmp_path):
    """Two classes of four kinds of two shapes each."""
    rows = [",".join(HEADER)]
    for name in CLASSES:
        (tmp_path / "root/train" / name).mkdir(parents=True)
        for kind in OWN:
            for i in range(2):
                file = f"train/{name}/{kind}{i}.npy"
                (tmp_path / "root" / file).touch()
                rows.append(f"{file},{name}/{kind}")
    (tmp_path / "root" / KINDS).write_text("\n".join(rows) + "\n")
    return tmp_path / "root"


@pytest.fixture
def trained(monkeypatch):
    """Trainings that answer at once: of four shapes, what their seed says."""
    seen = []

    def train(function, folder, config, kind, epochs):
        held = Path(config["data"]["root"], "validation").glob("*/*")
        seen.append((config, [f"{path.parent.name}/{path.stem}" for path in held]))
        right = np.tile([0.6, 0.4], (4, 1))
        once = right if config["seed"] < 1 else 1 - right / 2  # the first is right, others are less sure
        label = np.zeros(4, int)
        np.savez(folder / votes.ANSWERS, once=once, voted=1 - once, label=label)
        return {"training": 90.0 + config["seed"], "parameters": 10, "seconds": [1.0, 30.0]}

    monkeypatch.setattr(held_out, "apart", train)
    return seen


def run(root, folder, job):
    place = folder / "study/jobs" / job.name
    place.mkdir(parents=True)
    return job.run(place)


def test_trainings_of_a_seed_hold_out_each_kind_once(root, tmp_path, trained):
    jobs = unseen_kinds.jobs(Options("small", root, (1,)))
    rows = unseen_kinds.HELD_OUT.scales["small"]
    assert [job.name for job in jobs] == [f"{name}-{draw}" for draw in range(4, 8) for name in rows]
    for job in jobs:
        assert run(root, tmp_path, job)["shapes"] == 4
    assert {config["seed"] for config, _ in trained} == {1}
    held = sorted(chain.from_iterable(files for _, files in trained[:: len(rows)]))
    assert held == [f"{name}/{kind}{i}" for name in CLASSES for kind in OWN for i in range(2)]
    shared = {"shift": 0.2, **unseen_kinds.STRONG}
    fills = {"peer": {"point_fill": True}, "preset": {}}  # peers take clouds of one size
    for config, _ in trained:
        (kind,) = set(config["model"]) & set(fills)
        assert config["data"]["augment"] == shared | fills[kind]


def test_a_committee_is_the_mean_of_its_members(root, tmp_path, trained):
    jobs = {job.name: job for job in unseen_kinds.jobs(Options("ablations", root, (0,)))}
    one = run(root, tmp_path, jobs["ccnn_4_48-0"])
    assert (one["once"], one["voted"]) == (100.0, 0.0)
    four = run(root, tmp_path, jobs["committee-0"])
    assert [config["seed"] for config, _ in trained] == [0, 0, 1, 2, 3]
    assert (four["once"], four["voted"]) == (0.0, 100.0)  # (0.6 + 3 * 0.7) / 4 against (0.4 + 3 * 0.8) / 4
    assert (four["parameters"], four["seconds"], four["training"]) == (40, 120.0, 91.5)


def test_votes_are_of_augmented_samples(tmp_path, monkeypatch):
    """A stand-in for the network counts what it is shown, and answers by the size of a shape."""
    write_clouds(tmp_path / "shapes", {"train": 4, "validation": 4})
    config = settings(METHODS["ccnn_4_32"], "small", tmp_path / "shapes", 3)
    config["data"] |= {"num_points": 16, "num_samples": 32, "batch_size": 4}
    config["data"]["augment"] = {"scale": [0.5, 2.0]}
    config["model"] = {
        "hidden_channels": 4,
        "num_blocks": 1,
        "kernel_hidden": 4,
        "omega_0": 0.5,
        "num_neighbors": 4,
    }
    sizes = []

    def ask(network, batches):
        assert not network.training
        batches = list(batches)
        sizes.append(torch.cat([batch.pos.norm(dim=1) for batch in batches]).max().item())
        return votes_ask(network, batches)

    votes_ask = votes.ask
    monkeypatch.setattr(votes, "ask", ask)
    found = votes.train_and_vote(tmp_path, config, "ccnn", 2)
    assert (
        len(sizes) == 1 + votes.VOTES
        and sizes[0] == pytest.approx(1, abs=1e-3)
        and len(set(sizes)) == len(sizes)
    )
    with np.load(tmp_path / votes.ANSWERS) as answers:
        once, voted, label = (answers[name] for name in ("once", "voted", "label"))
    assert 100 * (once.argmax(1) == label).mean() == pytest.approx(found["accuracy"])
    assert voted.shape == once.shape and not np.allclose(voted, once)
    assert voted.sum(1) == pytest.approx(np.ones(len(label)), abs=1e-5)


def test_report_pools_all_shapes_of_a_parting(tmp_path):
    options = Options("small", tmp_path, (0, 1))
    numbers = {}
    for name in unseen_kinds.HELD_OUT.scales["small"]:
        for draw in range(8):
            once = {"pointnet": 80.0}.get(name, 84.0 if draw % 4 == 0 else 76.0) + (2 if draw >= 4 else 0)
            shapes = 300 if draw % 4 == 0 else 100
            numbers[f"{name}-{draw}"] = {"once": once, "voted": once + 1, "shapes": shapes}
            numbers[f"{name}-{draw}"] |= {"training": 99.0, "parameters": 12345, "seconds": 150.0}
    assert unseen_kinds.HELD_OUT.pooled(numbers, "large", 0, "once") == pytest.approx(
        (84 * 300 + 76 * 300) / 600
    )
    text = unseen_kinds.HELD_OUT.report(numbers, options, tmp_path)
    assert "| PointNet | 12,345 | 99.0 | 81.0 ± 1.4 | 82.0 ± 1.4 |  | 2.5 |" in text
    for name in ("small", "large"):
        title = unseen_kinds.ROWS[name].method.title
        assert f"| {title} | 12,345 | 99.0 | 81.0 ± 1.4 | 82.0 ± 1.4 | +0.0 ± 0.0 | 2.5 |" in text


def test_a_folder_without_kinds_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a table of files and kinds"):
        unseen_kinds.jobs(Options("small", tmp_path, (0,)))
