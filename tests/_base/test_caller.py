"""Warnings name the line that asked."""

import sys

import pytest

from ccnn_geo.io import MissingPoints, read_shape
from ccnn_geo.io.files.notices import say_once

CLOUD = (
    "ply\nformat ascii 1.0\nelement vertex 2\n"
    + "".join(f"property float {c}\n" for c in "xyz")
    + "end_header\n"
)


def test_the_line_is_that_of_the_program(tmp_path):
    (tmp_path / "a.ply").write_text(CLOUD + "nan nan nan\n1 2 3\n")
    with pytest.warns(MissingPoints) as said:
        read_shape(tmp_path / "a.ply")
        line = sys._getframe().f_lineno - 1
    assert [(w.filename, w.lineno) for w in said] == [(__file__, line)]
    with pytest.warns(UserWarning, match="of this test alone") as said:
        say_once("said of this test alone")
        say_once("said of this test alone")
    assert [w.filename for w in said] == [__file__]


@pytest.mark.parametrize("rank", ["RANK", "LOCAL_RANK"])
def test_other_processes_do_not_repeat_it(monkeypatch, recwarn, rank):
    monkeypatch.setenv(rank, "1")
    say_once(f"said by the process of {rank} 1")
    assert not recwarn
    monkeypatch.setenv(rank, "0")
    say_once(f"said by the process of {rank} 0")
    assert len(recwarn) == 1
