"""Explains in one line why a training ended from outside: a full disk, a lost process."""

from __future__ import annotations

import re
import shlex
from itertools import dropwhile
from pathlib import Path

from ccnn_geo.io.models.checkpoint import LAST

LOST = re.compile(
    r"(?:gloo|NCCL|c10d|TCPStore).*?(connection (?:closed|reset) by peer|connection was closed|broken pipe|"
    r"timed out[^.]*|remote process exited[^.]*|connection refused)",
    re.IGNORECASE | re.DOTALL,
)
"""Messages of the communication libraries when a process is missing."""


def explain_failure(error: Exception, run: Path) -> Exception:
    """The error to show: the cause, and how to continue.

    Args:
        error: The error that ended the training.
        run: Folder of the run.

    Returns:
        ``ChildProcessError`` if a process that loads batches ended, ``ConnectionError`` if a training process ended,
        ``OSError`` for files and disks. Any other error is returned unchanged, except that a traceback in its message,
        from a loading process, is removed.
    """
    text = _without_traceback(str(error))
    if lost := re.search(r"DataLoader worker \(pid.*", text):
        return ChildProcessError(
            f"a process that loads batches has ended ({lost[0].rstrip('. ')}); if memory ran out, use a smaller "
            f"data.num_workers or data.batch_size{how_to_continue(run)}"
        )
    if isinstance(error, RuntimeError) and (lost := LOST.search(text)):
        return ConnectionError(
            f"another process of this run has ended or cannot be reached ({lost[1].lower()}); its own output may "
            f"say why{how_to_continue(run)}"
        )
    if isinstance(error, OSError):
        return OSError(text + how_to_continue(run))
    return error if text == str(error) else type(error)(text)


def _without_traceback(text: str) -> str:
    """The message of a loading process, without the traceback that torch adds."""
    if " in DataLoader worker process " not in text:
        return text
    lines = text.rpartition("Traceback (most recent call last):")[2].strip("\n").splitlines()
    rest = dropwhile(lambda line: line.startswith(" "), lines)
    return "\n".join(rest).partition(": ")[2] or lines[-1]


def how_to_continue(run: Path) -> str:
    """The command that continues a run, if an epoch is complete; otherwise empty."""
    going_on = (run / "checkpoints" / LAST).is_file()
    return f"; continue with: ccnn-geo train --resume {shlex.quote(str(run))}" if going_on else ""
