"""Networks for numbers of images, recordings and series: checked, trained and asked through the command line."""

import csv
import json

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.io import wavfile

from ccnn_geo import load

NETWORK = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 2.0, "window_init": 0.5}


def image(path, value):
    grey = np.random.default_rng(int(100 * value)).integers(20, size=(8, 8)) + 200 * value
    Image.fromarray(grey.astype(np.uint8)).save(path.with_suffix(".png"))


def recording(path, value):
    wave = np.sin(np.arange(200) * 0.4) * 20000 * value
    wavfile.write(path.with_suffix(".wav"), 8000, wave.astype(np.int16))


def series(path, value):
    path.with_suffix(".csv").write_text("time,level\n" + "".join(f"{t},{value + t / 50}\n" for t in range(9)))


KINDS = {
    "images": ("image_folder", image, ".png", "images/ccnn_4_32_targets", {"channels": 1}),
    "recordings": ("wav_folder", recording, ".wav", "recordings/ccnn_4_32_targets", {}),
    "series": ("csv_series", series, ".csv", "series/ccnn_4_16_targets", {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_files(kind, tmp_path, monkeypatch, run_cli, no_pictures):
    monkeypatch.chdir(tmp_path)
    dataset, write, extension, packaged, options = KINDS[kind]
    for split, count in (("train", 20), ("validation", 4), ("test", 4)):
        (tmp_path / "data" / split).mkdir(parents=True)
        rows = ["file,size [m],other"]
        for i in range(count):
            value = (i + 0.5) / count
            write(tmp_path / "data" / split / str(i), value)
            rows.append(f"{i}{extension},{100 + 50 * value},{'' if i == 0 else 3 - value}")
        (tmp_path / "data" / split / "targets.csv").write_text("\n".join(rows))
    config = {
        "model": NETWORK,
        "optim": {"lr": 0.05, "warmup_epochs": 0},
        "data": {"dataset": dataset, "root": "data", "batch_size": 5, "dataset_args": options},
        "trainer": {"max_epochs": 15},
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    code, output, errors = run_cli("data", "check", "data")
    assert (code, errors) == (0, "") and f"ccnn-geo train --config {packaged} --data.root data" in output
    assert "target size [m]" in output and output.startswith(f"{kind} in data, targets.csv")
    code, output, errors = run_cli("train", "--config", "c.yaml", "--out", "run")
    assert (code, errors) == (0, "") and "(MAE size " in output
    assert run_cli("train", "--config", "c.yaml", "--task", "classification")[0] == 1
    assert run_cli("test", "run")[0] == 0
    found = json.loads((tmp_path / "run/results.json").read_text())[f"test_{dataset}"]["targets"]
    assert found["size"]["unit"] == "m" and found["size"]["mae"] < found["size"]["mae_of_mean"] / 2
    code, output, errors = run_cli(
        "predict", "run", "data/test/0" + extension, f"data/test/3{extension}", "--csv"
    )
    assert (code, errors) == (0, "")
    rows = list(csv.DictReader(output.splitlines()))
    answer = load("run")(f"data/test/3{extension}")
    assert answer.units == {"size": "m", "other": ""}
    assert float(rows[1]["size [m]"]) == pytest.approx(answer.values["size"], rel=1e-4)
    assert float(rows[0]["size [m]"]) < float(rows[1]["size [m]"])
