"""Training on several kinds of data at toy size: it goes on as if unbroken, and the report has what it promises."""

from itertools import islice

import pytest
import torch

from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import joint, joint_training
from ccnn_geo.experiments.studies.joint_training import Kind, build, fit
from ccnn_geo.nn.joint import OWN
from tests.fake_data import register
from tests.fixtures.shapes_on_disk import write_clouds

NETWORK = {
    "preset": "ccnn_4_16",
    "num_blocks": 1,
    "omega_0": 0.5,
    "window_init": 0.5,
    "num_neighbors": 6,
    "dropout": 0.1,
}
OPTIM = {"lr": 0.01, "weight_decay": 0.01, "warmup": 0.2, "label_smoothing": 0.1, "clip": 1.0}


@pytest.fixture
def kinds(tmp_path, monkeypatch):
    """Twelve clouds, as points and voxels, and images."""
    root = register(monkeypatch, tmp_path)
    write_clouds(root / "shapes", {"train": 4, "validation": 2})
    points = {
        "dataset": "folder",
        "root": str(root / "shapes"),
        "num_points": 32,
        "num_samples": 64,
        "batch_size": 3,
        "augment": {"shift": 0.1},
    }
    return {
        "images": {
            "data": {"dataset": "spots", "root": str(root), "batch_size": 4},
            "spacing": 0.2,
            "validate": 10,
        },
        "clouds": {"data": points},
        "voxels": {"data": {**points, "carrier": "voxels", "voxel_size": 8}},
    }


def train(folder, kinds, own=OWN, also=None):
    folder.mkdir(exist_ok=True)
    return fit(folder, kinds, NETWORK, OPTIM, seed=1, rounds=2, steps=3, own=own, also=also)


def test_batches_go_on_where_they_were(kinds):
    kind = Kind(seed=0, **kinds["clouds"])
    assert len(kind.data.train_dataloader()) == 2
    whole = [batch.pos for batch in islice(kind.batches(0), 7)]
    assert not torch.equal(whole[0], whole[2])  # another epoch
    for start in (1, 4):
        found = [batch.pos for batch in islice(kind.batches(start), 3)]
        assert all(map(torch.equal, found, whole[start:]))


def test_an_interrupted_training_goes_on(kinds, tmp_path, monkeypatch):
    unbroken = train(tmp_path / "unbroken", kinds)
    calls, accuracy = [], Kind.accuracy

    def interrupted(self, network):
        calls.append(self)
        if len(calls) == 5:  # in the second round
            raise KeyboardInterrupt
        return accuracy(self, network)

    monkeypatch.setattr(Kind, "accuracy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", kinds)
    monkeypatch.setattr(Kind, "accuracy", accuracy)
    resumed = train(tmp_path / "broken", kinds)
    again = train(tmp_path / "broken", kinds)  # it is done
    for name in ("curves", "training", "across", "parameters"):
        assert resumed[name] == unbroken[name] == again[name]
    assert all(
        len(resumed["curves"][kind]) == 2 and resumed[kind] == resumed["curves"][kind][-1] for kind in kinds
    )
    assert len(resumed["seconds"]) == 2 and resumed["seconds"][1] > resumed["seconds"][0]
    weights = [torch.load(tmp_path / name / "last.pt")["networks"] for name in ("unbroken", "broken")]
    assert not [key for key, value in weights[0].items() if not torch.equal(value, weights[1][key])]


def test_networks_are_tested_on_what_they_can_take(kinds, tmp_path):
    found = train(tmp_path / "pair", {kind: kinds[kind] for kind in ("images", "clouds")})
    assert set(found["across"]) == {"images, images", "clouds, clouds"}
    assert found["across"]["clouds, clouds"] == found["clouds"]
    found = train(tmp_path / "alone", {"clouds": kinds["clouds"]}, also={"voxels": kinds["voxels"]})
    assert set(found["across"]) == {"clouds, clouds", "clouds, voxels"}
    assert set(found["curves"]) == {"clouds"}


def test_what_kinds_have_for_themselves(kinds):
    found = {name: Kind(seed=0, **kinds[name]) for name in ("clouds", "voxels")}
    count = {
        own: sum(p.numel() for p in build(found, NETWORK, 0, own).parameters())
        for own in (OWN, ("norms",), (), None)
    }
    one = sum(p.numel() for p in found["clouds"].network(NETWORK).parameters())
    assert count[None] == one < count[()] < count[("norms",)] == count[OWN] < 2 * one
    assert count[OWN] - count[()] == 2 * 2 * 16  # the norms of a block and after the last one
    networks = build(found, NETWORK, 0, None)
    assert networks["clouds"] is networks["voxels"]


def test_a_study_row_is_sent_to_another_process_and_trained(kinds, tmp_path, monkeypatch, sent):
    asked = sent(joint)
    (tmp_path / "job").mkdir()
    shapes = {
        key: value
        for key, value in kinds["clouds"]["data"].items()
        if key not in ("root", "batch_size", "augment")
    }
    monkeypatch.setattr(joint, "SHAPES", {"small": {**shapes, "voxel_size": 8}})
    monkeypatch.setattr(joint, "PRESET", {"small": "ccnn_4_16"})
    monkeypatch.setattr(joint, "LENGTH", {"small": {"rounds": 1, "steps": 1}})
    row = joint.Row("one network", ("voxels", "clouds"), None)
    found = joint.run(row, Options("small", tmp_path, (0,)), 0, tmp_path / "job")
    assert all(0 <= found[kind] <= 100 for kind in ("voxels", "clouds")) and len(found["across"]) == 4
    assert (tmp_path / "job/last.pt").exists() and asked == [1]


@pytest.mark.parametrize("scale", ["small", "paper"])
def test_the_report_compares_with_networks_of_their_own(scale, tmp_path, monkeypatch):
    for part in ("train", "validation"):
        (tmp_path / "shapes" / part).mkdir(parents=True)
    asked = []

    def fake(row, options, seed, folder):
        asked.append((row, seed))
        last = {kind: 70.0 + seed + 2 * (len(row.kinds) > 1) for kind in row.kinds}
        tested = [kind for kind in ("clouds", "voxels") if kind in row.kinds + row.also]
        across = {f"{a}, {b}": 60.0 for a in row.kinds for b in (tested if a != "images" else ["images"])}
        curves = {kind: [50.0, value] for kind, value in last.items()}
        return {**last, "curves": curves, "across": across, "parameters": 1234, "seconds": [60.0, 120.0]}

    monkeypatch.setattr(joint, "run", fake)
    text = run_study(joint.STUDY, Options(scale, tmp_path, (0, 1)), tmp_path / "out", say=str).read_text()
    assert len(asked) == len(set(asked)) == 2 * (3 + sum(map(len, joint.TOGETHER.values())))
    assert "| apart | 2,468 | 70.5 ± 0.7 | 70.5 ± 0.7 | 4.0 |" in text
    assert "| one trunk | 1,234 | 72.5 ± 0.7 (+2.0) | 72.5 ± 0.7 (+2.0) | 2.0 |" in text
    assert "| apart | 2,468 | 70.5 ± 0.7 | 70.5 ± 0.7 | 60.0 ± 0.0 | 60.0 ± 0.0 | 4.0 |" in text
    assert "| voxels | clouds | voxels' network on clouds | clouds' network on voxels |" in text
    assert (tmp_path / "out/curves.png").stat().st_size > 1000


def test_missing_shapes_are_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"shapes/train does not exist, expected mnist/ and shapes/"):
        joint.jobs(Options("small", tmp_path, (0,)))


def test_settings_of_both_scales_make_data_and_networks(tmp_path):
    """Whatever the root holds: names and arguments are those of the data modules."""
    for part in ("train", "validation"):
        (tmp_path / "shapes" / part).mkdir(parents=True)
    for scale in ("small", "paper"):
        for settings in joint.data_of(Options(scale, tmp_path, (0,))).values():
            data = joint_training.make_data(settings["data"])
            data.check()
            assert data.batch_size in (16, 50)
