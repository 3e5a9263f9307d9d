"""Bars on a terminal, lines in a log."""

import time

import pytest

from ccnn_geo.io.files.progress import progress


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    ticking = Clock()
    monkeypatch.setattr(time, "monotonic", ticking)
    return ticking


def work(clock, seconds, count, step=1, **kwargs):
    with progress(**kwargs) as bar:
        for _ in range(count):
            clock.now += seconds
            bar.update(step)


def test_a_log_gets_a_line_every_half_minute_and_a_last_one(clock, capsys):
    work(clock, 11, 8, title="images", total=8)
    assert capsys.readouterr().err.splitlines() == [
        "images: 3 of 8 (38 %), 33 s",
        "images: 6 of 8 (75 %), 66 s",
        "images: 8 of 8 (100 %), 88 s",
    ]


def test_short_works_say_nothing(clock, capsys):
    work(clock, 1, 29, title="images")
    assert capsys.readouterr().err == ""


def test_downloads_are_told_in_megabytes(clock, capsys):
    work(clock, 40, 2, 1_500_000, title="a.zip", total=4_000_000, initial=1_000_000, unit="B")
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "a.zip: 2.5 MB of 4.0 MB (62 %), 40 s"
    assert last == "a.zip: 4.0 MB of 4.0 MB (100 %), 80 s"


def test_an_unknown_total_is_left_out(clock, capsys):
    work(clock, 40, 1, 1234, title="rows")
    assert capsys.readouterr().err.splitlines()[0] == "rows: 1,234, 40 s"


def test_items_are_counted(clock, capsys):
    seen = []
    for item in progress(["a", "b"], title="files"):
        clock.now += 31
        seen.append(item)
    assert seen == ["a", "b"]
    assert capsys.readouterr().err.splitlines()[0] == "files: 1 of 2 (50 %), 31 s"


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("ccnn_geo.io.files.progress.DELAY", 0.0)
    assert list(progress(range(5), title="numbers")) == [0, 1, 2, 3, 4]
    shown = capsys.readouterr().err
    assert "\rnumbers: 100%" in shown
