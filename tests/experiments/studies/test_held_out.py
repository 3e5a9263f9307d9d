"""Studies of rows beside peers: what each network is given, on folds and on a fixed part."""

from pathlib import Path

import pytest

from ccnn_geo.experiments.engine.reproduction import Options
from ccnn_geo.experiments.studies import held_out, lidar_objects, vertices33
from ccnn_geo.experiments.studies.held_out import FITTED, Row, recipe_settings
from ccnn_geo.experiments.studies.point_peers import METHODS, Method
from ccnn_geo.kernels.config import KernelConfig
from ccnn_geo.nn.build import build_network
from tests.fixtures.shapes_on_disk import write_clouds

CLOUDS = {"omega_0": 0.5, "window_init": 0.5, "num_neighbors": 16}


@pytest.mark.parametrize("study", (lidar_objects, vertices33))
def test_all_rows_build_networks_of_their_settings(study):
    for row in study.ROWS.values():
        config = study.HELD_OUT.settings(row.method, Path("root"), 3)
        assert (config["seed"], config["data"]["root"]) == (3, "root")
        assert "warmup_epochs" not in config["optim"] and "max_epochs" not in config["trainer"]
        if "peer" in config["model"]:
            assert config["optim"]["lr"] == 1e-3 and not set(config["data"]["features"]) & {"pos"}
        else:
            assert config["optim"]["lr"] == 0.01 and "pos" in config["data"]["features"]
            build_network(4, 3, **config["model"])


def test_a_ccnn_has_the_recipes_model_and_a_peer_its_own():
    settings = recipe_settings("modelnet40/vertices33")
    own = settings(METHODS["ccnn_4_48"], Path("here"), 0)
    assert own["model"] == {"preset": "ccnn_4_48", **CLOUDS}
    peer = settings(METHODS["dgcnn"], Path("here"), 0)
    assert peer["model"] == {"peer": "dgcnn"} and peer["data"]["features"] == ["constant"]
    lidar = recipe_settings("models/airborne5")(METHODS["pointnet"], Path("here"), 0)
    assert lidar["data"]["features"] == ["normal_outer"] and lidar["data"]["augment"]["rotate_axis"] == "z"


def test_kernels_that_fit_the_first_batch_are_those_of_no_setting():
    row = vertices33.ROWS["fitted"].method
    model = vertices33.HELD_OUT.settings(row, Path("here"), 0)["model"]
    unset = {name: getattr(KernelConfig(), name) for name in FITTED}
    assert {name: model[name] for name in FITTED} == unset


def test_folds_are_the_same_for_all_seeds_and_hold_out_each_object_once(tmp_path, monkeypatch):
    root = tmp_path / "objects"
    write_clouds(root, {"train": 10})
    held = []

    def train(function, folder, config, kind, epochs):
        files = {
            f"{path.parent.name}/{path.name}"
            for path in Path(config["data"]["root"], "validation").glob("*/*")
        }
        held.append((config["seed"], epochs, files))
        raise InterruptedError

    monkeypatch.setattr(held_out, "apart", train)
    for job in lidar_objects.HELD_OUT.jobs(Options("small", root, (0, 1))):
        if job.name.startswith("pointnet-"):
            place = tmp_path / "study/jobs" / job.name
            place.mkdir(parents=True)
            with pytest.raises(InterruptedError):
                job.run(place)
    first, second = held[:5], held[5:]
    assert [seed for seed, _, _ in held] == [0] * 5 + [1] * 5 and {n for _, n, _ in held} == {15}
    assert [files for _, _, files in first] == [files for _, _, files in second]
    together = [name for _, _, files in first for name in files]
    assert len(together) == len(set(together)) == 20


def test_settings_of_a_rows_data_come_last(tmp_path, monkeypatch):
    seen = []

    def train(function, folder, config, kind, epochs):
        seen.append(config["data"])
        raise InterruptedError

    monkeypatch.setattr(held_out, "apart", train)
    jobs = {job.name: job for job in vertices33.HELD_OUT.jobs(Options("full", tmp_path, (0,)))}
    for name in ("ccnn_4_32-0", "random-0"):
        place = tmp_path / "study/jobs" / name
        place.mkdir(parents=True)
        with pytest.raises(InterruptedError):
            jobs[name].run(place)
    assert [data["subset"] for data in seen] == ["farthest", "random"]
    assert seen[0]["root"] == str(tmp_path)


def test_a_row_is_of_one_network_unless_it_says_more():
    row = Row(Method("any"))
    assert (row.members, dict(row.augment), dict(row.data)) == (1, {}, {})


def test_sizes_are_drawn_beside_the_table(tmp_path):
    names = vertices33.HELD_OUT.scales["full"]
    one = {"once": 80.0, "voted": 82.0, "shapes": 759, "training": 90.0, "seconds": 60.0}
    numbers = {
        f"{name}-{seed}": {**one, "parameters": 1000 + i} for i, name in enumerate(names) for seed in (0, 1)
    }
    text = vertices33.report(numbers, Options("full", tmp_path, (0, 1)), tmp_path)
    assert (tmp_path / "sizes.png").exists() and text.endswith("](sizes.png)")
    assert (
        "| CCNN-4,140, the published omega_0 | 1,0" in text
        and "| 80.0 ± 0.0 | 82.0 ± 0.0 | +0.0 ± 0.0 |" in text
    )
