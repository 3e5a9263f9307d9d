"""Series with a class for each time: of which column, of which lines, and what a network is given."""

import numpy as np
import pytest

from ccnn_geo.datasets import CSVSeries
from ccnn_geo.io.csv_table import read_table
from ccnn_geo.training.data.points import PointsDataModule
from ccnn_geo.transforms.pipelines.base import make_pipeline

TEXT = "when;state;x;y\n3;up;1,5;\n1;;2;3\n2;down;;\n3;up;2,5;\n0;down;7;1\n"
"""Unsorted; two lines of one time, a line without a label, and one at which nothing was observed."""


@pytest.fixture
def root(tmp_path):
    for split, texts in {
        "train": [TEXT, TEXT.replace("7", "8")],
        "test": [TEXT.replace("down", "up")],
    }.items():
        (tmp_path / split / "ward").mkdir(parents=True)
        for i, text in enumerate(texts):
            (tmp_path / split / "ward" / f"{i}.csv").write_text(text)
    return tmp_path


OPTIONS = {"label": "state", "time": "when"}


def test_labels_belong_to_times(root):
    data = CSVSeries(root, **OPTIONS)
    assert data.classes == ["down", "up"] and data.variables == ["x", "y"]
    assert CSVSeries.truths(root, OPTIONS) == ("segmentation", "node")
    sample = data[0]
    assert sample.y.tolist() == [0, -1, 1] and sample.name == "train/ward/0.csv"  # times 0, 1, 3
    np.testing.assert_allclose(sample.pos[:, 0], [-1, -1 / 3, 1], atol=1e-6)
    assert CSVSeries(root, "test", **OPTIONS)[0].y.tolist() == [1, -1, 1]
    assert [y.tolist() for y in data[[1]].cell_labels()] == [[0, -1, 1]]
    table = read_table(root / "train/ward/0.csv", time="when", label="state")
    assert data.pipeline.points_of_lines(table).tolist() == [2, 1, -1, 2, 0]


def test_a_file_to_answer_needs_no_labels(root):
    data = CSVSeries(root, **OPTIONS)
    pipeline = make_pipeline(data.pipeline.settings())
    plain = root / "plain.csv"
    rows = [line.split(";") for line in TEXT.splitlines()]
    plain.write_text("\n".join(";".join([*row[:1], *row[2:]]) for row in rows))
    for path in (plain, root / "train/ward/0.csv"):
        sample = pipeline(pipeline.read(path))
        assert sample.x.equal(data[0].x) and sample.pos.equal(data[0].pos)


def test_whole_numbers_are_in_order_and_all_times_are_answered(root):
    for path in root.rglob("*.csv"):
        path.write_text(path.read_text().replace("up", "10").replace("down", "9"))
    data = PointsDataModule(
        "csv_series", str(root), OPTIONS, num_points=2, batch_size=2, validation_fraction=0.5
    )
    data.setup("fit")
    assert data.classes == ["9", "10"] and data.pipeline.num_points is None
    assert (data.task, data.readout) == ("segmentation", "node")
    batch = next(iter(data.train_dataloader()))
    assert batch.y.shape == (2,) and batch.x.shape == (2, 4)  # points are drawn with their labels
    assert data.class_shares() == [0.5, 0.5]


def test_whole_numbers_with_decimals_are_the_same_class(root):
    """A program that writes floats adds decimals, in a file with empty cells and not in others."""
    for path, (up, down) in {
        "train/ward/0": ("1", "-2,0"),
        "train/ward/1": ("1,0", "-2"),
        "test/ward/0": ("1,", "2.0"),
    }.items():
        file = root / f"{path}.csv"
        file.write_text(file.read_text().replace("up", up).replace("down", down))
    data = CSVSeries(root, **OPTIONS)
    assert data.classes == ["-2", "1"] and [sample.y.tolist() for sample in data] == [[0, -1, 1]] * 2
    assert CSVSeries(root, "test", **OPTIONS)[0].y.tolist() == [1, -1, 1]


def test_whole_numbers_are_the_same_class_however_they_are_written(root):
    written = {"train/ward/0": ("+1", "-0"), "train/ward/1": ("01", "0"), "test/ward/0": ("1", "NaN")}
    for path, (up, down) in written.items():
        file = root / f"{path}.csv"
        file.write_text(file.read_text().replace("up", up).replace("down", down))
    data = CSVSeries(root, **OPTIONS)
    assert data.classes == ["0", "1"] and [sample.y.tolist() for sample in data] == [[0, -1, 1]] * 2
    assert CSVSeries(root, "test", **OPTIONS)[0].y.tolist() == [1, -1, 1]


@pytest.mark.parametrize("label", ["nan", "NaN"])
def test_nan_is_no_label(root, label):
    for path in root.rglob("*.csv"):
        path.write_text(path.read_text().replace("down", label))
    data = CSVSeries(root, **OPTIONS)
    assert data.classes == ["up"] and data[0].y.tolist() == [-1, -1, 0]


@pytest.mark.parametrize(("label", "time"), [("time", "when"), ("when", "when"), ("When", "when")])
def test_times_are_no_labels(root, label, time):
    with pytest.raises(
        ValueError, match=rf"0\.csv: the column '{label}' has the times, expected a different column"
    ):
        CSVSeries(root, label=label, time=time)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("state", "other", r"0\.csv: no column 'state', expected one with labels; found other, x, y"),
        ("3;up;2,5", "3;down;2,5", r"0\.csv: the labels 'up' and 'down' at one time, expected one"),
    ],
)
def test_what_is_wrong_is_named(root, old, new, message):
    path = root / "train/ward/0.csv"
    text = path.read_text().replace(old, new)
    path.write_text(text if new != "other" else text.replace("up", "1").replace("down", "2"))
    with pytest.raises(ValueError, match=message):
        CSVSeries(root, **OPTIONS)


def test_labels_that_training_has_not(root):
    path = root / "test/ward/0.csv"
    path.write_text(path.read_text().replace("up", "sideways"))
    with pytest.raises(
        ValueError, match="the label 'sideways' is not in the training files, expected one of down, up"
    ):
        CSVSeries(root, "test", **OPTIONS)
    with pytest.raises(ValueError, match="expected label or targets, got both"):
        CSVSeries(root, label="state", targets=["a"])
    for path in root.glob("train/ward/*"):
        path.write_text("when;state;x\n0;;1\n")
    with pytest.raises(ValueError, match="no label in the column 'state' of any file"):
        CSVSeries(root, **OPTIONS)
    path.write_text("when;state\n0;up\n")
    with pytest.raises(ValueError, match="only the columns 'when' and 'state'"):
        CSVSeries(root, **OPTIONS)
