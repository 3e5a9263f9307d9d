"""Intensive care: the official layout in small, every error, and real stays against their archive."""

import math

import numpy as np
import pytest
import torch
from torch_geometric.loader import DataLoader

from ccnn_geo import CCNN
from ccnn_geo.datasets.registry import dataset_class
from ccnn_geo.datasets.series import physionet2012
from ccnn_geo.datasets.series.physionet2012 import PhysioNet2012
from ccnn_geo.datasets.series.physionet_records import VARIABLES
from ccnn_geo.transforms.pipelines.series import Scale
from tests.datasets.series.stays_on_disk import V, opened, write_set


@pytest.fixture
def root(tmp_path):
    write_set(tmp_path / "physionet2012", "c", 40, 900)
    return tmp_path


def test_a_stay_is_a_series_of_points(root):
    data = opened(root, tails=0.0)
    assert type(data) is dataset_class("physionet2012") and data.info.in_channels == data.in_channels == 2 * V
    stay = data[0]
    number = int(stay.name) - 900
    assert (
        stay.x.shape == (4, 2 * V)
        and stay.pos.shape == (4, 1)
        and stay.x.dtype == stay.pos.dtype == torch.float32
    )
    minutes = torch.tensor([0, 30, 60, 47 * 60 + 59])
    assert torch.allclose(stay.pos[:, 0], 2 * minutes / 2880 - 1)
    assert stay.y.tolist() == [int(number % 5 == 0)]
    hr, temp = VARIABLES.index("HR"), VARIABLES.index("Temp")
    seen = torch.zeros(4, V)
    seen[[1, 3], hr] = seen[2, temp] = 1
    assert torch.equal(stay.x[:, V:], seen) and torch.equal(stay.x[:, :V][seen == 0], torch.zeros(4 * V - 3))
    rate = stay.x[[1, 3], hr].double() * data.scale.std[hr] + data.scale.mean[hr]
    assert rate.tolist() == pytest.approx(
        [60 + number, 61 + number], abs=1e-4
    )  # two of one minute: their mean
    assert stay.x[2, temp] == 0 and data.scale.std[temp] == 1  # one value everywhere


def test_static_descriptors(root):
    data = opened(root, static=True)
    stay, number = data[3], int(data[3].name) - 900
    assert data.in_channels == stay.x.shape[1] == 2 * (V + 7) and data.channels[V + 1] == "Gender"
    known = stay.x[:, 2 * V + 7 :]
    assert torch.equal(known, torch.tensor([1.0, 1, 0, 1, 1, 1, 1]).expand(4, 7))  # height is unknown
    kind = stay.x[0, V + 3 : V + 7]
    assert kind.argmax() == number % 4 and (stay.x[0, V + 1] > 0) == (number % 2 == 1)


def test_one_set_is_split_by_class_and_nothing_global(root):
    torch.manual_seed(1)
    splits = {s: opened(root, s) for s in ("train", "validation", "test")}
    assert {s: len(d) for s, d in splits.items()} == {"train": 28, "validation": 6, "test": 6}
    assert [int(d.y.sum()) for d in splits.values()] == [6, 1, 1]
    assert len({n for d in splits.values() for n in d.names}) == 40
    torch.manual_seed(2)
    (root / "processed/physionet2012").rename(root / "old")
    assert all(opened(root, s).names == d.names for s, d in splits.items())
    for d in splits.values():  # validation and test are scaled by the training part
        assert np.array_equal(d.scale.mean, splits["train"].scale.mean)
    rates = torch.cat([s.x[s.x[:, V + 14] > 0, 14] for s in splits["train"]])
    assert (
        VARIABLES[14] == "HR"
        and rates.mean().abs() < 1e-5
        and rates.std(correction=0).item() == pytest.approx(1, 0.02)
    )


def test_three_sets_are_the_splits(tmp_path):
    for i, letter in enumerate("abc"):
        write_set(tmp_path / "physionet2012", letter, 6 + 7 * i, 100 * i)
    assert [len(opened(tmp_path, s)) for s in ("train", "validation", "test")] == [6, 13, 20]
    assert opened(tmp_path, "test").names[0] == "200"
    assert [len(opened(tmp_path, s, sets="cb")) for s in ("train", "validation", "test")] == [23, 5, 5]
    with pytest.raises(ValueError, match="6 records in the sets 'a' leave none for test"):
        opened(tmp_path, sets="a")


def test_second_open_processes_nothing(root, monkeypatch):
    first = opened(root)
    monkeypatch.setattr(physionet2012, "read_record", None)
    again = opened(root)
    assert torch.equal(first[0].x, again[0].x)


def test_counts_are_checked_and_stored_files_need_no_others(root, monkeypatch):
    with pytest.raises(ValueError, match=r"40 files <record>.txt, expected 4000"):
        PhysioNet2012(root, download=False)
    real = physionet2012._list_set
    monkeypatch.setattr(physionet2012, "_list_set", lambda home, letter, _: real(home, letter, False))
    names = PhysioNet2012(root, download=False, sets="c").names
    (root / "physionet2012").rename(root / "gone")
    assert PhysioNet2012(root, download=False, sets="c").names == names


def test_slips_are_pulled_in():
    values = np.concatenate([np.linspace(7, 8, 999), [100.0]])[:, None]
    scale = Scale.measure(values, 0.01)
    assert scale.high[0] < 8 and scale(values).max() == scale(np.array([[8.0]])) < 2
    assert Scale.measure(values, 0.0)(values).max() > 20
    nothing = Scale.measure(np.full((3, 1), math.nan))
    assert nothing.mean == 0 and nothing.std == 1


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"split": "val"}, "expected split train, validation, test, got 'val'"),
        ({"sets": "d"}, "letters a, b, c, got 'd'"),
        ({"sets": ""}, "letters a, b, c"),
        ({"tails": 0.5}, "0 <= tails < 0.5"),
        ({"checksum": "sha256:00"}, "no digests are known"),
    ],
)
def test_wrong_arguments(tmp_path, kwargs, words):
    with pytest.raises(ValueError, match=words):
        PhysioNet2012(tmp_path, **kwargs)
    with pytest.raises(
        FileNotFoundError,
        match=r"no set-a, .* Outcomes-c\.txt in .*physionet2012; place the published files there",
    ):
        PhysioNet2012(tmp_path, download=False)


@pytest.mark.parametrize("causal", [False, True])
def test_a_network_takes_batches(root, causal):
    batch = next(iter(DataLoader(opened(root), batch_size=8)))
    model = CCNN.from_preset("ccnn_4_16", dim=1, in_channels=2 * V, out_channels=2, causal=causal)
    loss = torch.nn.functional.cross_entropy(model(batch), batch.y)
    loss.backward()
    assert loss.isfinite() and all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_causal_points_hear_of_the_past_alone(root):
    stay = opened(root)[0]
    wide = {
        "window_init": 2.0,
        "omega_0": 1.0,
    }  # four points in two days: a narrow window sees none of the others
    model = CCNN.from_preset("ccnn_4_16", 1, 2 * V, 2, causal=True, readout="node", **wide).eval()
    changed = stay.clone()
    changed.x[2] += 1
    with torch.no_grad():
        change = (model(stay) - model(changed)).abs().amax(dim=1)
    assert change[:2].max() < 1e-6 and change[3] > 1e-3


def test_real_stays(shared, tmp_path):
    """The first 120 stays of set c, written as published, against the archive that they come from."""
    with np.load(shared("physionet2012.npz")) as archive:
        d = {key: archive[key] for key in archive}
    home, names = tmp_path / "physionet2012", d["param_names"].tolist()
    (home / "set-c").mkdir(parents=True)
    outcomes, expected = ["RecordID,Length_of_stay,In-hospital_death"], {}
    for i in range(120):
        part = slice(d["offset"][i], d["offset"][i + 1])
        lines, cells = ["Time,Parameter,Value"], {}
        for minute, which, value in zip(
            d["minute"][part].tolist(), d["param"][part], d["value"][part], strict=True
        ):
            lines.append(f"{minute // 60:02d}:{minute % 60:02d},{names[which]},{value:g}")
            if names[which] in VARIABLES and value != -1:
                cells.setdefault((minute, VARIABLES.index(names[which])), []).append(float(f"{value:g}"))
        (home / "set-c" / f"{d['record'][i]}.txt").write_text("\n".join(lines) + "\n")
        outcomes.append(f"{d['record'][i]},{d['length_of_stay'][i]},{d['death'][i]}")
        expected[str(d["record"][i])] = int(d["death"][i]), cells
    (home / "Outcomes-c.txt").write_text("\n".join(outcomes) + "\n")
    found = 0
    for split in ("train", "validation", "test"):
        data = opened(tmp_path, split, tails=0.0)
        for stay in data:
            label, cells = expected[stay.name]
            minutes = sorted({minute for minute, _ in cells} | {0})
            values = np.full((len(minutes), V), np.nan)
            for (minute, column), several in cells.items():
                values[minutes.index(minute), column] = np.mean(several)
            assert stay.y.tolist() == [label]
            assert np.allclose((stay.pos[:, 0].double() + 1) * 1440, minutes, atol=1e-3)
            assert np.array_equal(stay.x[:, V:].numpy() == 1, ~np.isnan(values))
            scaled = (values - data.scale.mean) / data.scale.std
            assert np.allclose(stay.x[:, :V], np.nan_to_num(scaled), atol=1e-4)
            found += 1
    assert found == 120
