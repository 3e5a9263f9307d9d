import numpy as np
import pytest

from ccnn_geo.io.target_table import read_targets


def write(tmp_path, text):
    path = tmp_path / "targets.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_names_units_splits_and_what_is_not_known(tmp_path):
    text = "\ufefffile,split,energy [kcal/mol],gap\na.npz,train,-1.5,\nsub\\b.npz,val,2e3,NA\n\n"
    table = read_targets(write(tmp_path, text))
    assert (table.files, table.splits) == (["a.npz", "sub/b.npz"], ["train", "val"])
    assert (table.names, table.units) == (["energy", "gap"], ["kcal/mol", ""])
    np.testing.assert_array_equal(table.values, [[-1.5, np.nan], [2000.0, np.nan]])
    chosen = read_targets(tmp_path / "targets.csv", ["gap"])
    assert (chosen.names, chosen.values.shape) == (["gap"], (2, 1))


@pytest.mark.parametrize("sign", [";", "\t", "|", ","])
def test_what_stands_between_cells(tmp_path, sign):
    text = "File;angle [degree];SPLIT\na b.npz;1,5;train\nb.npz;;val\n"
    text = text.replace(",", ".") if sign == "," else text
    table = read_targets(write(tmp_path, text.replace(";", sign)))
    assert (table.files, table.splits, table.heads) == (
        ["a b.npz", "b.npz"],
        ["train", "val"],
        ["angle [degree]"],
    )
    np.testing.assert_array_equal(table.values, [[1.5], [np.nan]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file;a\nx;1,234\n",
            "three decimals, or a whole number with a thousands separator; if commas separate the",
        ),
        ("file;a\nx;1,5\ny;1.5\n", "numbers with a comma, '1,5', and with a point, '1.5', expected one"),
        ("", "0 lines, expected a header"),
        ("file,a\n", "1 line, expected a header"),
        ("name,a\nx,1\n", "expected different names, one of them 'file'"),
        ("file,a,a [m]\nx,1,2\n", "expected different names"),
        ("file\nx\n", "no target , expected some of a column for each target"),
        ("file,a\nx,1\ny\n", "line 3: 1 cells, expected 2"),
        ("file,a\nx,1\ny,high\n", "line 3: a is 'high', expected a number or an empty cell"),
        ("file,a\nx,inf\n", "line 2: a is 'inf'"),
        ("file,a\nx,1\nx,2\n", "several rows for x"),
        ('file,a\n"x,1\n', "not a table of text"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=r"targets\.csv") as caught:
        read_targets(write(tmp_path, text))
    assert message in str(caught.value)


def test_a_target_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="no target b, expected some of a"):
        read_targets(write(tmp_path, "file,a\nx,1\n"), ["b"])


def test_a_file_has_one_name(tmp_path):
    (tmp_path / "targets.csv").write_text("file,v\na.npz,1\n./b/../a.npz,2\n")
    with pytest.raises(ValueError, match=r"several rows for a.npz"):
        read_targets(tmp_path / "targets.csv")
    (tmp_path / "targets.csv").write_text("file,v\na.npz,1\n ,2\n")
    with pytest.raises(ValueError, match="line 3: no file, expected its name"):
        read_targets(tmp_path / "targets.csv")
