"""Dates of ISO 8601 in all their forms, and digits that are dates or not."""

import re
from datetime import datetime, timedelta, timezone

import pytest

from ccnn_geo.datasets.series.csv_series import CSVSeries
from ccnn_geo.io.csv_table import read_table
from ccnn_geo.io.iso_dates import number_of, seconds_of

DAY = 86400


def at(*parts, hours=0.0) -> float:
    return datetime(*parts, tzinfo=timezone(timedelta(hours=hours))).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            (text, at(2024, 1, 31))
            for text in ("2024-01-31", "20240131", "2024-031", "2024031", "2024-W05-3", "2024W053")
        ),
        ("2024-05", at(2024, 5, 1)),
        ("2024-W05", at(2024, 1, 29)),
        ("2020-W53-7", at(2021, 1, 3)),
        *(
            (f"20240131{text}", at(2024, 1, 31, 23, 59))
            for text in ("T2359", " 2359", "_2359", "2359", "T23:59Z")
        ),
        *(
            (f"20240131{text}", at(2024, 1, 31, 23, 59, 58))
            for text in ("T235958", "235958", " 235958", "_235958")
        ),
        ("2024-01-31T12", at(2024, 1, 31, 12)),
        ("2024-01-31t12:30:00.25z", at(2024, 1, 31, 12, 30) + 0.25),
        ("2024-01-31 12:30:00,123456789", at(2024, 1, 31, 12, 30) + 0.123456789),
        ("2024-01-31T24:00", at(2024, 2, 1)),
        *(
            (f"2024-01-31T12:30{zone}", at(2024, 1, 31, 12, 30, hours=2))
            for zone in ("+02", "+0200", "+02:00", " +02:00")
        ),
        ("20240131T1230-0530", at(2024, 1, 31, 12, 30, hours=-5.5)),
        ("2024-01-31 12:30 UTC", at(2024, 1, 31, 12, 30)),
        ("1969-12-31T23:59:59.5Z", -0.5),
        ("2016-12-31T23:59:60Z", at(2017, 1, 1)),
    ],
)
def test_forms(text, expected):
    assert seconds_of(text) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2024",
            "202405",
            "2024_05",
            "2024-1-3",
            "31.01.2024",
            "01/31/2024",
            "24-01-31",
            "20240230",
            "2023-366",
        ),
        *(
            "2024-000",
            "2024-W54",
            "2021-W53-1",
            "2024-01-31T",
            "2024-01-31T25",
            "2024-01-31T24:01",
            "20240131T12:60",
            "20240131T12:30:60",
        ),
        *(
            "2024-01-31T12:30+24:00",
            "2024-01-31T12+02:60",
            "٢٠٢٤-٠١-٣١",
            "2024-01-31 noon",
            "0001-01-01T00+01",
            "",
        ),
        "9999-12-31T24:00",
    ],
)
def test_what_is_none(text):
    assert seconds_of(text) != seconds_of(text)


def test_numbers_are_written_as_people_do():
    assert [number_of(text) for text in ("-1.5e3", ".5", "7")] == [-1500, 0.5, 7]
    assert all(
        number_of(text) != number_of(text) for text in ("2024_05", "1_000", "0x10", "", "nan", "\u0662\u0660")
    )


def table(tmp_path, *times):
    path = tmp_path / "a.csv"
    path.write_text("time,v\n" + "".join(f"{time},{i}\n" for i, time in enumerate(times)))
    return read_table(path)


@pytest.mark.parametrize(
    ("times", "steps"),
    [
        (("20240131", "20240201", "20240301"), (DAY, 29 * DAY)),
        (("20240131235959", "20240201000000"), (1,)),
        (("20240131235959.5", "20240201000000"), (0.5,)),
        (("20240131235959250", "20240201000000250"), (1,)),
        (("20240131235959250000", "20240201000000500000"), (1.25,)),
        (("202401312359", "202402010000"), (60,)),
        (("2024013123", "2024020100"), (3600,)),
        (("20240131", "20240131120000"), (DAY / 2,)),
        (("20240131", "2024-02-01"), (DAY,)),
        (("2024-01-31", "20240201"), (DAY,)),
        (("20240131", "20240201T06"), (1.25 * DAY,)),
    ],
)
def test_columns_of_dates(tmp_path, times, steps):
    found = table(tmp_path, *times)
    assert found.dates and tuple(found.time[1:] - found.time[:-1]) == steps


@pytest.mark.parametrize(
    "times",
    [
        (*"0123",),
        ("20240131.5", "20240201.5"),
        ("1712010203", "1712010204"),
        ("1700000000", "1700003600"),  # of Unix
        ("1700000000000", "1700000060000"),
        ("20001301", "20001302", "20240131"),
        ("12345678", "12345679"),
        ("2022", "2023", "2024"),
        ("2460341", "2460342"),  # Julian days
    ],
)
def test_columns_of_numbers(tmp_path, times):
    found = table(tmp_path, *times)
    assert not found.dates and found.time.tolist() == [float(time) for time in times]


@pytest.mark.parametrize(
    "times",
    [
        ("202401", "202402", "202501"),
        ("2023365", "2024001"),
        ("20240131.0", "20240201.0"),  # as pandas writes a column with gaps
        ("2.024013100000000000e+07", "2.024020100000000000e+07"),  # as numpy writes one
        ("18500101", "18500102"),
        ("202401.0", "202402.0"),
        ("2024013123.0", "2024020100.0"),
        ("+20240131", "+20240201"),
        ("21050101120000", "21050101130000"),
    ],
)
def test_numbers_that_look_like_dates_are_told(tmp_path, times):
    with pytest.warns(
        UserWarning, match=rf"times such as {re.escape(times[0])} are read as numbers; .* with dashes"
    ):
        assert not table(tmp_path, *times).dates


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            ("20240131", "20240201", "20240230"),
            r"line 4: time is '20240230', expected a date like most of the others",
        ),
        (("2024_05", "2024_06"), "line 2: time is '2024_05', expected a date such as"),
        (("20240131", "soon"), "line 3: time is 'soon', expected a number like the first"),
        (("2024-01-31", "5"), "line 3: time is '5', expected a date"),
        (("5", "2024-01-31"), "line 3: time is '2024-01-31', expected a number like the first"),
        (("0", "1_000"), "line 3: time is '1_000', expected a number"),
    ],
)
def test_columns_that_are_neither(tmp_path, times, message):
    with pytest.raises(ValueError, match=rf"a\.csv, {message}"):
        table(tmp_path, *times)


def test_a_series_of_days_without_dashes(tmp_path):
    for name, times in (
        ("basic", "20240131 20240201 20240302"),
        ("extended", "2024-01-31 2024-02-01 2024-03-02"),
    ):
        path = tmp_path / name / "train/x/a.csv"
        path.parent.mkdir(parents=True)
        path.write_text("time,v\n" + "".join(f"{time},{i}\n" for i, time in enumerate(times.split())))
    basic, extended = (CSVSeries(tmp_path / name) for name in ("basic", "extended"))
    assert basic.span == extended.span == 31 * DAY
    assert basic[0].pos.equal(extended[0].pos)
