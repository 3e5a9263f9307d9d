"""Processes that prepare data: they report their errors and their end, and none outlives its program."""

import os
import pickle
import signal
import subprocess
import sys
import time
import warnings

import pytest

from ccnn_geo.datasets.base.workers import Workers, _packed

ORPHANS = """
import os, signal
from ccnn_geo.datasets.base.workers import Workers, _packed
with Workers(1) as workers:
    print(*[p.pid for p in workers._processes], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")
def test_workers_of_a_killed_program_end():
    done = subprocess.run([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True, check=False)
    pids = done.stdout.split()
    assert done.returncode == -signal.SIGKILL and len(pids) == 1
    for _ in range(1200):  # a busy machine imports torch for a minute
        alive = [p for p in pids if os.path.isdir(f"/proc/{p}") and _command(p).startswith(sys.executable)]
        if not alive:
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
    with pytest.raises(RuntimeError, match="worker process ended"), Workers(1) as workers:
        with pytest.raises(ZeroDivisionError):
            list(workers.map(divmod, [1], [0]))
        assert list(workers.map(divmod, [7], [2])) == [(3, 1)]
        with pytest.warns(RuntimeWarning, match="^of one file$") as said:
            assert list(workers.map(warnings.warn, ["of one file"], [RuntimeWarning])) == [None]
        assert [w.filename for w in said] == [__file__]
        list(workers.map(os._exit, [3]))


class Unreadable(Exception):
    """Can be written, but not read back: it wants two arguments."""

    def __init__(self, file, line):
        super().__init__(f"{file}, line {line}")


def test_an_error_that_cannot_be_sent_is_told_in_words():
    error, *_ = pickle.loads(_packed(Unreadable("a.csv", 3)))
    assert type(error) is RuntimeError and str(error) == "Unreadable: a.csv, line 3"
    error, *_ = pickle.loads(_packed(ValueError("as it is")))
    assert type(error) is ValueError and str(error) == "as it is"
