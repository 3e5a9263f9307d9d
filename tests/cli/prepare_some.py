"""Runs ``ccnn-geo`` and notes every file of a shape that was read; perhaps killed at one of them.

python prepare_some.py NOTES KILL_AT TOGETHER ARGUMENT...

KILL_AT is the number of the file at which it is killed, 0 for none. TOGETHER is a number of processes that wait for
each other at their first file, so that none has done all before another has begun.
"""

import os
import signal
import sys
import time
from pathlib import Path

from ccnn_geo.cli import main
from ccnn_geo.datasets.base import processing

notes, kill_at, together = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
read, count = processing.read_shape, 0


def noted(path, columns):
    global count
    count += 1
    if count == 1 and together:
        Path(f"{notes}-{os.getpid()}").touch()
        for _ in range(600):
            if len(list(notes.parent.glob(f"{notes.name}-*"))) >= together:
                break
            time.sleep(0.1)
    if count == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        return read(path, columns)
    finally:
        with notes.open("a") as file:
            file.write(f"{Path(path).name}\n")


processing.read_shape = noted
sys.exit(main(sys.argv[4:]))
