"""Processes that prepare data: they report their errors and their end, and none outlives its program."""

import os
import signal
import subprocess
import sys
import time
import warnings

import pytest

from ccnn_geo.datasets.base.workers import answer, mapper

SCRIPT = """
import os, signal
from ccnn_geo.datasets.base import workers
print("once")
with workers.mapper(1) as run:
    print(*run(divmod, [7, 9], [2, 2]), *run(os.getenv, ["OMP_NUM_THREADS"]))
    print(*run(eval, ["__import__('os').getpid()"]), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
"""It has no ``if __name__ == "__main__":``, which would be asked for if it were imported again."""


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")
def test_a_script_runs_once_and_when_it_is_killed_its_workers_end(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE, text=True, check=False
    )
    once, results, pid = done.stdout.splitlines()
    assert done.returncode == -signal.SIGKILL and (once, results) == ("once", "(3, 1) (4, 1) 1")
    for _ in range(300):
        if not (alive := os.path.isdir(f"/proc/{pid}") and "loky" in _command(pid)):
            break
        time.sleep(0.1)
    assert not alive


def _command(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_worker_sends_errors_back_and_its_death_is_reported():
    with mapper(1) as run:
        with pytest.raises(ZeroDivisionError):
            list(run(divmod, [1], [0]))
        assert list(run(divmod, [7, 9, 8], [2, 2, 2])) == [(3, 1), (4, 1), (4, 0)]
        with pytest.warns(RuntimeWarning, match="^of one file$") as said:
            assert list(run(warnings.warn, ["of one file"], [RuntimeWarning])) == [None]
        assert [w.filename for w in said] == [__file__]
        with pytest.raises(RuntimeError, match=r"^a worker process ended; .* use fewer workers$"):
            list(run(os._exit, [3]))


class Unreadable(Exception):
    """Can be written, but not read back: it wants two arguments."""

    def __init__(self, file, line):
        super().__init__(f"{file}, line {line}")


def fail(error):
    raise error


def test_an_error_that_cannot_be_sent_is_told_in_words():
    error, *_ = answer(fail, Unreadable("a.csv", 3))
    assert type(error) is RuntimeError and str(error) == "Unreadable: a.csv, line 3"
    error, *_ = answer(fail, ValueError("as it is"))
    assert type(error) is ValueError and str(error) == "as it is"


def test_a_missing_loky_is_named_in_a_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "loky", None)
    with (
        pytest.raises(ImportError, match=r"^num_workers=2: needs loky: pip install"),
        mapper(2),
    ):
        pass
    with mapper(0) as run:
        assert list(run(divmod, [7], [2])) == [(3, 1)]
