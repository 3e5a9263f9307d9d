"""Separators and decimal signs: found where they are plain, said where not, never guessed."""

import itertools

import numpy as np
import pytest

from ccnn_geo.datasets.series.csv_series import CSVSeries
from ccnn_geo.io.csv_format import separator_of
from ccnn_geo.io.csv_table import read_table

TIMES, HEAT = [0.0, 0.5, 12.25], [36.5, np.nan, -4.0]


def written(separator, decimal):
    rows = [f"{t:g}{separator}{'NA' if np.isnan(h) else f'{h:g}'}" for t, h in zip(TIMES, HEAT, strict=True)]
    return "\n".join([f"Time{separator}heat", *(row.replace(".", decimal) for row in rows)]) + "\n"


def table_of(tmp_path, text, **options):
    (tmp_path / "a.csv").write_text(text)
    return read_table(tmp_path / "a.csv", **options)


@pytest.mark.parametrize(
    ("separator", "decimal"), [p for p in itertools.product(",;\t| ", ".,") if p != (",", ",")]
)
def test_plain_files_are_read_without_options(tmp_path, separator, decimal):
    table = table_of(tmp_path, written(separator, decimal))
    assert table.variables == ["heat"] and not table.dates
    assert table.time.tolist() == [0, 12.25] and table.value.tolist() == [36.5, -4]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("Zeit;Wert\n0;1,5\n", {"time": "zeit"}, ([0], ["Wert"], [1.5])),
        ("time;x\n1.000;2.000\n", {"decimal": "."}, ([1], ["x"], [2])),
        ("time;x\n1,250;2,000\n", {"decimal": ","}, ([1.25], ["x"], [2])),
        ("time;x\n0.250;2.000\n", {}, ([0.25], ["x"], [2])),  # 0.250 is no group of thousands
        ('time,x\n"0,5","1,5"\n', {"decimal": ","}, ([0.5], ["x"], [1.5])),
        ("time  x   y\n 1   2   3 \n", {}, ([1, 1], ["x", "y"], [2, 3])),
        ("time ; x\n 0 ; 1 \n", {}, ([0], ["x"], [1])),
        ("temp, C;time\n1;2\n", {}, ([2], ["temp, C"], [1])),
        ("time,temp; C\n1,2\n", {}, ([1], ["temp; C"], [2])),
        ("time;variable;value\n1,5;1,234;0,5\n", {}, ([1.5], ["1,234"], [0.5])),  # names stay
        ("time|x\n2024-01-31T12:00:00,5|1,5\n", {}, ([1706702400.5], ["x"], [1.5])),
        ("a;time\n1;2\n", {"separator": "semicolon"}, ([2], ["a"], [1])),
        ("time;x\n1;1,5e-3\n2;,5\n", {}, ([1, 2], ["x"], [0.0015, 0.5])),
    ],
)
def test_what_is_read(tmp_path, text, options, expected):
    table = table_of(tmp_path, text, **options)
    names = [table.variables[i] for i in table.variable]
    assert (table.time.tolist(), list(dict.fromkeys(names)), table.value.tolist()) == expected


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (
            "time;x\n1;1.234\n2;5.678\n",
            {},
            r"'1.234' is a number with three decimals, or .* option 'decimal'",
        ),
        ("time\tx\n1\t1,234\n", {}, r"'1,234' is a number with three decimals"),
        (
            "time;x\n1;1,5\n2;1.5\n",
            {},
            r"with a comma, '1,5', and with a point, '1.5', expected one decimal sign",
        ),
        ("time;x\n1;1.234,5\n", {}, r"x is '1.234,5', expected a number"),
        ("time;x\n1;1.234.567\n", {}, r"x is '1.234.567', expected a number"),
        ("time;x\n1;1.234\n", {"decimal": ","}, r"line 2: '1.234' has a point, expected ','"),
        (
            "time;x\n1;1,5\n",
            {"decimal": "."},
            r"x is '1,5', expected a number .*; for decimal commas set the option 'decimal'",
        ),
        ('time,x\n1,"1,5"\n', {}, r"x is '1,5', expected .*; for decimal commas set the option 'decimal'"),
        ("time,x\n0,5,1,5\n", {}, "line 2: 4 cells, expected 2"),
        (
            "time;a,time\n1;2\n",
            {},
            r"comma or semicolon may stand between .* option 'separator'",
        ),
        ("time;x\n1;2\n", {"separator": ","}, "has no column 'time'"),
        (
            "time;x\n1;2\n",
            {"separator": "slash"},
            "separator: expected one of comma, semicolon, tab, pipe, space",
        ),
        ("time;x\n1;2\n", {"decimal": "'"}, "decimal: expected '.' or ','"),
        ("time;x\n1;2\n", {"time": "Zeit"}, "has no column 'zeit', expected one"),
        ("time x\n2024-01-01 10:00 5\n", {}, "line 2: 3 cells, expected 2"),
        ("time;x\n1;2;\n", {}, "line 2: 3 cells, expected 2"),
    ],
)
def test_what_is_refused(tmp_path, text, options, words):
    with pytest.raises(ValueError, match=words):
        table_of(tmp_path, text, **options)


def test_names_of_separators():
    assert [separator_of(name) for name in ("comma", "tab", "\\t", "\t", "space", "|")] == [",", *"\t\t\t |"]


def test_a_data_set_takes_the_options(tmp_path):
    texts = {"german": "Zeit;Wert\n0;1,500\n1;2,500\n", "plain": "Zeit,Wert\n0,1.5\n1,2.5\n"}
    for name, text in texts.items():
        for kind in "ab":
            (tmp_path / name / "train" / kind).mkdir(parents=True)
            (tmp_path / name / "train" / kind / "0.csv").write_text(text)
    a = CSVSeries(tmp_path / "german", decimal=",", time="Zeit")
    b = CSVSeries(tmp_path / "plain", time="Zeit")
    assert a.variables == b.variables == ["Wert"] and np.array_equal(a[0].x, b[0].x)
    with pytest.raises(ValueError, match="option 'decimal'"):  # other options, other stored files
        CSVSeries(tmp_path / "german", time="Zeit")
