"""Time series from CSV files: both forms, dates, missing cells, disorder, and what is refused."""

from datetime import datetime, timezone

import numpy as np
import pytest
import torch
from torch_geometric.loader import DataLoader

from ccnn_geo import CCNN
from ccnn_geo.datasets.registry import dataset_class
from ccnn_geo.datasets.series import csv_series
from ccnn_geo.datasets.series.csv_series import CSVSeries
from ccnn_geo.io.csv_table import read_table

WIDE = "time,hr,temp\n3,70,\n1,60,36.5\n1,64,NA\n2,,\n5,80,37.5\n"
LONG = "variable,time,value\nhr,3,70\nhr,1,60\ntemp,1,36.5\nhr,1,64\nhr,2,?\ntemp,5,37.5\nhr,5,80\n"


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


@pytest.fixture
def root(tmp_path):
    return write(
        tmp_path,
        {
            "train/ill/a.csv": WIDE,
            "train/well/b.csv": "time,hr,temp\n0,50,37\n8,90,37.5\n",
            "train/well/notes.txt": "not a series",
            "test/ill/c.csv": "time,temp\n100,39\n102,36\n",
            "test/well/d.csv": "Time,hr\n7,70\n",
        },
    )


def test_one_point_for_each_time(root):
    data = CSVSeries(root, "train")
    assert (
        type(data) is dataset_class("csv_series")
        and data.classes == ["ill", "well"]
        and data.y.tolist() == [0, 1]
    )
    assert (
        data.variables == ["hr", "temp"]
        and data.span == 8
        and data.names == ["train/ill/a.csv", "train/well/b.csv"]
    )
    assert data.channels == ["hr", "temp", "hr observed", "temp observed"] and data.in_channels == 4
    first = data[0]
    assert torch.allclose(first.pos[:, 0], 2 * torch.tensor([0.0, 2, 4]) / 8 - 1)  # 2 held nothing
    assert first.x[:, 2:].tolist() == [[1, 1], [1, 0], [1, 1]]
    values = np.array([[62, 36.5], [70, np.nan], [80, 37.5], [50, 37], [90, 37.5]])
    scaled = (values - np.nanmean(values, 0)) / np.nanstd(values, 0)
    assert np.allclose(torch.cat([s.x[:, :2] for s in data]), np.nan_to_num(scaled), atol=1e-6)
    assert first.x.dtype == first.pos.dtype == torch.float32 and first.y.dtype == torch.int64


def test_long_form_says_the_same(root, tmp_path):
    other = write(
        tmp_path / "long",
        {"train/ill/a.csv": LONG, "train/well/b.csv": (root / "train/well/b.csv").read_text()},
    )
    a, b = CSVSeries(root)[0], CSVSeries(other)[0]
    assert torch.equal(a.x, b.x) and torch.equal(a.pos, b.pos)


def test_other_splits_are_scaled_by_the_training_part(root):
    train, test = CSVSeries(root), CSVSeries(root, "test")
    assert np.array_equal(train.scale.mean, test.scale.mean) and test.span == 8
    c, d = test
    assert c.pos[:, 0].tolist() == [-1, -0.5] and c.x[:, 2:].tolist() == [[0, 1], [0, 1]]
    assert (c.x[:, 1] * test.scale.std[1] + test.scale.mean[1]).tolist() == pytest.approx([39, 36], abs=1e-5)
    assert d.pos.tolist() == [[-1]] and d.x[0, 2:].tolist() == [1, 0]


def test_dates(tmp_path):
    stamps = ["2024-02-28T23:00:00Z", "2024-03-01", "2024-02-29 01:00:00+02:00", "2024-02-29T12:30:00.500"]
    write(tmp_path, {"train/x/a.csv": "time,v\n" + "".join(f"{s},{i}\n" for i, s in enumerate(stamps))})
    data = CSVSeries(tmp_path)
    start = datetime(2024, 2, 28, 23, tzinfo=timezone.utc)
    assert data.span == (datetime(2024, 3, 1, tzinfo=timezone.utc) - start).total_seconds() == 25 * 3600
    # the first and third are one moment
    assert torch.allclose(
        (data[0].pos[:, 0] + 1) / 2 * data.span, torch.tensor([0, 48600.5, 90000]), atol=0.01
    )


def test_large_times_keep_their_detail(tmp_path):
    write(tmp_path, {"train/x/a.csv": "time,v\n1700000000.25,1\n1700000000.75,2\n1700000001.25,3\n"})
    assert CSVSeries(tmp_path)[0].pos[:, 0].tolist() == [-1, 0, 1]


def test_second_open_reads_no_tables_and_changes_are_seen(root, monkeypatch):
    stored = CSVSeries(root).processed_file
    with monkeypatch.context() as patch:
        patch.setattr(csv_series, "read_table", None)
        assert CSVSeries(root).processed_file == stored
    before = CSVSeries(root, "test").processed_file
    (root / "train/well/b.csv").write_text("time,hr,temp\n0,50,37\n16,90,37.5\n")
    assert CSVSeries(root, "test").processed_file != before and CSVSeries(root, "test").span == 16


def test_slips_caches_and_transforms(root, tmp_path):
    rows = "".join(f"{i},{i % 10}\n" for i in range(999)) + "999,1e6\n"
    write(root, {"train/well/b.csv": "time,hr\n" + rows})
    assert CSVSeries(root)[1].x[:, 0].max() > 30 > 3 > CSVSeries(root, tails=0.01)[1].x[:, 0].max()
    data = CSVSeries(root, cache=tmp_path / "cache", transform=lambda d: d.pos.shape[0])
    assert data[1] == 1000 and data.processed_file.parent == tmp_path / "cache"


def test_a_record_without_a_value(tmp_path):
    write(tmp_path, {"train/x/a.csv": "time,v\n3,\n4,\n", "train/x/b.csv": "time,v\n0,1\n2,3\n"})
    empty = CSVSeries(tmp_path)[0]
    assert empty.x.tolist() == [[0, 0], [0, 0]] and empty.pos[:, 0].tolist() == [-1, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty, expected a header with a column 'time'"),
        ("\n\n", "empty, expected a header"),
        ("hr,temp\n1,2\n", r"header 'hr,temp' \(the first line\) has no column 'time', .* times to 'time'"),
        ("t,stamp,Date,hr\n1,2,3,4\n", r"no column 'time', expected one; .*\(is it 'Date'\?\) to 'time'"),
        ("hr,time (s)\n1,2\n", r"'hr,time \(s\)' .*\(is it 'time \(s\)'\?\)"),
        (",hr\n0,1\n", r"is it the first one, which has no name\?"),
        ("Pump 7\ntime,hr\n0,1\n", r"header 'Pump 7' \(the first line\) has no column 'time'"),
        (
            "Datum;Puls\n0;1\n",
            r"'Datum;Puls' .* has no column 'time'.*\(is it 'Datum'\?\).* the option 'time'",
        ),
        (
            "0,1.5\n1,2\n",
            "no header, the first line is '0,1.5', expected the names of the columns, 'time' among",
        ),
        ("2024-01-01,1\n", "no header, the first line is '2024-01-01,1'"),
        ("time\n1\n", "has only the column 'time', expected one or more others"),
        ("time,a,a\n1,2,3\n", "a repeated in the header 'time,a,a', expected different names"),
        ("Time,time,a\n1,2,3\n", "time repeated"),
        ("time,a,\n1,2,3\n", "column 3 has no name in the header 'time,a,', expected one for each"),
        (",time,a\n1,2,3\n", "column 1 has no name"),
        ("time,a\n", "no lines below the header"),
        ("time,a\n1,2\n\n2\n", "line 4: 1 cells, expected 2"),
        ("time,a\n1,high\n", "line 2: a is 'high', expected a number or an empty cell"),
        ("time,a\n1,inf\n", "a is 'inf'"),
        ("time,a\n1,2\nnoon,2\n", "line 3: time is 'noon', expected a number like the first"),
        ("time,a\nnan,2\n", "time is 'nan'"),
        ("time,a\n2024-13-01,2\n", "time is '2024-13-01', expected a date"),
        ("time,a\n,2\n", "time is '', expected a date"),
        ("time,variable,value\n1,,2\n", "line 2: no variable is named"),
        ('time,a\n1,"2\n', "not a table of text"),
        (b"time,a\n1,\xff\xfe\n", "not a table of text in UTF-8"),
        (b"\x00\x01time,a\n", "header|not comma"),
    ],
)
def test_tables_that_are_not_understood(tmp_path, text, words):
    path = write(tmp_path, {"a.csv": text}) / "a.csv"
    with pytest.raises(ValueError, match=rf"a\.csv.*({words})"):
        read_table(path)


def test_excel_writes_a_mark_and_other_line_ends(tmp_path):
    path = write(tmp_path, {"a.csv": b'\xef\xbb\xbf"time","a b"\r\n1,"2.5"\r\n'}) / "a.csv"
    table = read_table(path)
    assert table.variables == ["a b"] and table.value.tolist() == [2.5]


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        (
            {"test/ill/c.csv": "time,spo2\n1,2\n"},
            ValueError,
            r"c\.csv: the variable 'spo2' is not in the training files, expected some of hr, temp",
        ),
        (
            {"train/well/b.csv": "time,hr\n2024-01-01,1\n"},
            ValueError,
            "times are dates, in the first training file num",
        ),
        ({"test/dead/e.csv": WIDE}, ValueError, "same classes"),
        (
            {"train/sick/readme.md": "", "test/sick/e.csv": WIDE},
            ValueError,
            "sick: no series, expected .csv .tsv, got no other files",
        ),
    ],
)
def test_folders_that_do_not_fit(root, files, error, words):
    write(root, files)
    with pytest.raises(error, match=words):
        CSVSeries(root, "test")
    assert list((root / "processed").glob("series-test-*.npz")) == []


def test_missing_folders_and_arguments(root, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        CSVSeries(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no split 'validation'"):
        CSVSeries(root, "validation")
    with pytest.raises(ValueError, match="split must be one of"):
        CSVSeries(root, "val")
    with pytest.raises(ValueError, match="0 <= tails"):
        CSVSeries(root, tails=0.5)
    only_test = write(tmp_path / "only", {"test/a/b.csv": WIDE})
    with pytest.raises(FileNotFoundError, match="no split 'train'"):
        CSVSeries(only_test, "test")


def test_a_network_takes_batches(root):
    data = CSVSeries(root)
    batch = next(iter(DataLoader(data, batch_size=2)))
    model = CCNN.from_preset("ccnn_4_16", dim=1, in_channels=data.in_channels, out_channels=2, causal=True)
    torch.nn.functional.cross_entropy(model(batch), batch.y).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("rows", ["0,1e308\n1,-1e308\n", "-1e308,1\n1e308,1\n", "1,1\n2,1e101\n"])
def test_numbers_whose_squares_are_none(tmp_path, rows):
    (tmp_path / "a.csv").write_text("time,v\n" + rows)
    with pytest.raises(
        ValueError, match=r"a\.csv, line [23]: (v|time) is '-?1e\d+', expected .*at most 1e\+100"
    ):
        read_table(tmp_path / "a.csv")
