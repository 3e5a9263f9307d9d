"""Networks of images, recordings and series answer files: trained, tested and asked through the command line."""

import csv
import json

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.io import wavfile

from ccnn_geo import load
from tests.fixtures.commands import without_pictures

NETWORK = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 2.0, "window_init": 0.5}
RNG = np.random.default_rng


def image(path, number, seed):
    pixels = RNG(seed).integers(60, size=(10, 10), dtype=np.uint8)
    Image.fromarray(pixels + np.uint8(150 * number)).save(path.with_suffix(".png"))


def recording(path, number, seed):
    wave = np.sin(np.arange(200) * (0.2 + number)) * 8000 + RNG(seed).normal(size=200) * 500
    wavfile.write(path.with_suffix(".wav"), 8000, wave.astype(np.int16))


def series(path, number, seed):
    rows = (f"{t:.2f},{number + RNG(seed + i).normal() / 4:.3f}" for i, t in enumerate(range(12)))
    path.with_suffix(".csv").write_text("\n".join(["time,level", *rows]))


KINDS = {
    "images": ("image_folder", image, {"size": [8, 8], "channels": 1}),
    "recordings": ("wav_folder", recording, {}),
    "coefficients": ("wav_folder", recording, {"mfcc": {"n_mfcc": 4, "n_fft": 32, "n_mels": 8}}),
    "series": ("csv_series", series, {}),
}


@pytest.fixture(scope="module", params=KINDS, ids=str)
def run_of_a_kind(request, tmp_path_factory):
    """A run in ``run``, files in ``data``."""
    from ccnn_geo.cli._main import main

    dataset, write, options = KINDS[request.param]
    place = tmp_path_factory.mktemp(request.param)
    for split, count in (("train", 10), ("validation", 3), ("test", 4)):
        for number, name in enumerate(("high", "low")):
            (place / "data" / split / name).mkdir(parents=True)
            for i in range(count):
                write(place / "data" / split / name / str(i), number, 100 * number + i + len(split))
    config = {
        "model": NETWORK,
        "optim": {"lr": 0.02, "warmup_epochs": 0},
        "data": {"dataset": dataset, "root": "data", "batch_size": 5, "dataset_args": options},
        "trainer": {"max_epochs": 2},
    }
    (place / "c.yaml").write_text(yaml.safe_dump(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        without_pictures(patch)
        assert main(["train", "--config", "c.yaml", "--out", "run"]) == 0
    return place


@pytest.fixture
def trained(run_of_a_kind, monkeypatch, no_pictures):
    monkeypatch.chdir(run_of_a_kind)
    return run_of_a_kind


def test_files_get_the_answers_of_the_test(trained, run_cli):
    code, output, errors = run_cli("test", "run")
    assert (code, errors) == (0, "")
    code, output, errors = run_cli("predict", "run", "data/test", "--csv")
    assert (code, errors) == (0, "")
    rows = list(csv.DictReader(output.splitlines()))
    assert len(rows) == 8
    right = np.mean([row["file"].split("/")[2] == row["class"] for row in rows])
    results = json.loads((trained / "run/results.json").read_text())
    (accuracy,) = (value["accuracy"] for key, value in results.items() if key.startswith("test_"))
    assert right == pytest.approx(accuracy)
    assert all(float(row["high"]) + float(row["low"]) == pytest.approx(1) for row in rows)


def test_an_exported_folder_answers_alike(trained, run_cli):
    assert run_cli("export", "run", "model")[0] == 0
    files = sorted(map(str, (trained / "data/test").rglob("*.*")))
    one, other = load("run"), load("model")
    assert one.pipeline.settings() == other.pipeline.settings()
    assert [a.probabilities for a in one.batch(files)] == [a.probabilities for a in other.batch(files)]
    alone = [one(file).probability for file in files]
    assert alone == pytest.approx([a.probability for a in one.batch(files, batch_size=3)], abs=1e-5)


def test_a_bad_file_stops_no_other(trained, run_cli):
    good = next((trained / "data/test").rglob("1.*"))
    bad = trained / f"bad{good.suffix}"
    bad.write_bytes(b"junk")
    code, output, errors = run_cli("predict", "run", str(bad), str(good), "nowhere" + good.suffix)
    assert code == 1 and len(output.splitlines()) == 2
    lines = errors.splitlines()
    assert lines[0].startswith(f"ccnn-geo: {bad}: ") and lines[1].startswith("ccnn-geo: nowhere")
    assert lines[2].startswith("ccnn-geo: no prediction for 2 of 3 files")
