"""Networks with a class for each pixel or time step: checked, trained, tested and asked through the command line."""

import json

import numpy as np
import yaml
from PIL import Image

from ccnn_geo import load
from ccnn_geo.io.image import read_image, read_mask

NETWORK = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4}


def config(place, data, epochs=2):
    settings = {
        "model": NETWORK,
        "optim": {"lr": 0.05, "warmup_epochs": 0},
        "data": {"batch_size": 4, **data},
        "trainer": {"max_epochs": epochs},
    }
    (place / "c.yaml").write_text(yaml.safe_dump(settings))


def test_images_with_masks(tmp_path, monkeypatch, run_cli):
    """Light discs on a dark ground."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:12, :16]
    for split, count in (("train", 12), ("validation", 4), ("test", 3)):
        for folder in ("images", "masks"):
            (tmp_path / "discs" / split / folder).mkdir(parents=True)
        for i in range(count):
            disc = np.hypot(y - rng.integers(3, 9), x - rng.integers(3, 13)) < 3
            grey = (rng.integers(60, size=(12, 16)) + 120 * disc).astype(np.uint8)
            Image.fromarray(grey).save(tmp_path / f"discs/{split}/images/{i}.png")
            Image.fromarray(np.uint8(255) * disc).save(tmp_path / f"discs/{split}/masks/{i}.png")
    options = {"channels": 1, "size": [12, 16], "classes": {0: "ground", 255: "disc"}, "ignored": None}
    config(tmp_path, {"dataset": "image_folder", "root": "discs", "dataset_args": options}, 6)
    code, output, errors = run_cli("data", "check", "discs")
    assert code == 1 and "option 'ignored' sets the number that is not a class" in errors
    code, output, errors = run_cli("data", "check", "discs", "--option", "ignored=null")
    assert (code, errors) == (0, "") and "train --config images/ccnn_4_32_masks --data.root discs" in output
    code, output, errors = run_cli("train", "--config", "c.yaml", "--out", "run", "--task", "segmentation")
    assert (code, errors) == (0, "") and "mean IoU" in output
    assert (tmp_path / "run/scene.png").stat().st_size > 0
    assert run_cli("train", "--config", "c.yaml", "--task", "regression")[0] == 1
    assert run_cli("test", "run")[0] == 0
    assert json.loads((tmp_path / "run/results.json").read_text())["test_image_folder"]["mean_iou"] > 0.6

    model, path = load("run"), tmp_path / "discs/test/images/0.png"
    answer = model(path)
    assert answer.labels.shape == (12, 16) and answer.classes == ("ground", "disc")
    truth = read_mask(tmp_path / "discs/test/masks/0.png") == 255
    assert (answer.labels == truth).mean() > 0.9
    large = read_image(path, channels=1)[0].repeat(2, 0).repeat(2, 1)  # answered as large as it came
    Image.fromarray(large).save(tmp_path / "large.png")
    Image.fromarray(np.hstack([large, large])).save(tmp_path / "wide.png")
    wide = model("wide.png").labels
    assert (
        wide.shape == (24, 64) and (wide == np.hstack([truth, truth]).repeat(2, 0).repeat(2, 1)).mean() > 0.85
    )
    before = path.read_bytes()
    code, _, errors = run_cli("predict", "run", "discs/test/images", "--out", "discs/test/images")
    assert code == 1 and "predictions would lie among the input files, expected another folder" in errors
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 3
    assert run_cli("export", "run", "model")[0] == 0
    for name in ("run", "model"):
        code, output, errors = run_cli(
            "predict", name, "discs/test/images", "large.png", "--out", f"by_{name}"
        )
        assert (code, errors) == (0, "")
        mask = read_mask(tmp_path / f"by_{name}/discs/test/images/0.png")
        np.testing.assert_array_equal(mask, np.array([0, 255])[answer.labels])
        with np.load(tmp_path / f"by_{name}/discs/test/images/0.npz") as stored:
            np.testing.assert_array_equal(stored["label"], answer.labels)
            np.testing.assert_allclose(stored["probability"], answer.probability, atol=1e-5)
        assert read_mask(tmp_path / f"by_{name}/large.png").shape == (24, 32)
    rows = (tmp_path / "by_run/predictions.csv").read_text().splitlines()
    assert rows[0] == "file,points,ground,disc" and rows[1].split(",")[1] == "192"


def test_series_with_labels_of_times(tmp_path, monkeypatch, run_cli, no_pictures):
    """High and low levels, tables with semicolons and decimal commas."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("validation", 4), ("test", 2)):
        (tmp_path / "levels" / split).mkdir(parents=True)
        for i in range(count):
            high = np.repeat(rng.permutation([False, True]), 10)
            rows = [
                f"{t};{3 * h + rng.normal() / 3:.2f};{'' if t % 5 == 4 else ('low', 'high')[h]}".replace(
                    ".", ","
                )
                for t, h in enumerate(high.astype(int))
            ]
            rows[7] = "7;;low"  # nothing was seen then
            text = "\n".join(["hour;level;what", *rows]) + "\n"
            (tmp_path / "levels" / split / f"{i}.csv").write_text(text)
    options = {"label": "what", "time": "hour"}
    data = {
        "dataset": "csv_series",
        "root": "levels",
        "dataset_args": options,
        "num_points": 15,
        "batch_size": 2,
    }
    config(tmp_path, data, 6)
    arguments = [part for key, value in options.items() for part in ("--option", f"{key}={value}")]
    code, output, errors = run_cli("data", "check", "levels", *arguments)
    assert (code, errors) == (0, "") and "labels, in lines" in output
    assert "--config series/ccnn_4_16_labels --data.root levels --data.dataset_args.label what" in output
    code, output, errors = run_cli("train", "--config", "c.yaml", "--out", "run")
    assert (code, errors) == (0, "") and "mean IoU" in output
    assert run_cli("test", "run")[0] == 0
    assert json.loads((tmp_path / "run/results.json").read_text())["test_csv_series"]["accuracy"] > 0.8
    assert run_cli("predict", "run", "levels/test", "--out", "answers")[0] == 0
    found = load("run")("levels/test/1.csv")
    assert found.labels.shape == (19,) and found.classes == ("high", "low")
    before = (tmp_path / "levels/test/1.csv").read_text().splitlines()
    after = (tmp_path / "answers/1.csv").read_text().splitlines()
    assert after[0] == "hour;level;what;predicted;probability" and after[8] == "7;;low;;"
    seen = [i for i in range(20) if i != 7]
    for i, label, probability in zip(seen, found.labels, found.probability, strict=True):
        line, name, number = after[i + 1].rsplit(";", 2)
        assert line == before[i + 1] and name == found.classes[label]
        assert abs(float(number.replace(",", ".")) - probability) < 1e-3
    (tmp_path / "new.csv").write_text("hour;level\n0;3,1\n1;0,1\n")  # nobody has labelled it
    code, output, errors = run_cli("predict", "run", "new.csv")
    assert (code, errors) == (0, "") and "2 points" in output
