"""Forks that are killed, paused or run out of disk at a step of their own choice: no step depends on time.

Every change of the file system that Python makes is announced to an audit hook before it is made. Scripts use this in
a process of their own, which has imported torch and has no thread: pytest's process may have both.
"""

import contextlib
import gc
import importlib
import io
import os
import pickle
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

CHANGES = ("open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.link")

_watch: Callable[[str, Path], None] | None = None


class Ended(NamedTuple):
    """How a fork ended: its exit code, or minus the signal, its result, what it printed, and its errors."""

    code: int
    result: Any = None
    output: str = ""
    errors: str = ""


def start(function: Callable, *args: Any) -> tuple[int, int]:
    """Runs a function in a fork; its id, and a pipe to read the end from."""
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    os.close(read)
    code, result, output, errors = 0, None, io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            result = function(*args)
    except BaseException as error:
        code, result = 1, (type(error).__name__, str(error))
        traceback.print_exc(file=errors)
    _watch_nothing()
    with os.fdopen(write, "wb") as file:
        pickle.dump((result, output.getvalue(), errors.getvalue()), file)
    os._exit(code)


def wait(pid: int, read: int) -> Ended:
    with os.fdopen(read, "rb") as file:
        sent = file.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Ended(code, *(pickle.loads(sent) if sent else ()))


def fork(function: Callable, *args: Any) -> Ended:
    return wait(*start(function, *args))


def watch(root: Path, found: Callable[[str, Path], None]) -> None:
    """Calls ``found(event, path)`` before each change below a folder, in this process, from now on."""
    global _watch

    def hook(event: str, args: tuple) -> None:
        if _watch is None or event not in CHANGES or not isinstance(args[0], str | os.PathLike):
            return
        if event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        path = Path(args[1] if event in ("os.rename", "os.link") else args[0]).absolute()
        if path.is_relative_to(root):
            _watch(event, path)

    _watch = found
    sys.addaudithook(hook)


def _watch_nothing() -> None:
    global _watch
    _watch = None


def die(half_written: Path | None = None) -> None:
    """kill -9 of this process, perhaps in the middle of a file: half of it is on the disk then."""
    if half_written is not None:
        os.truncate(half_written, half_written.stat().st_size // 2)
    os.kill(os.getpid(), signal.SIGKILL)


def unfinished(target: Path) -> Path:
    """What ``write_atomic`` of this process writes before it becomes the target."""
    return target.with_name(f".{target.name}.{os.getpid()}.tmp")


def fill_disk(size: int = 50) -> None:
    """From now on no file may grow beyond so many bytes: ``write`` fails as it does without space."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def import_all(modules: list[str]) -> None:
    """Imports what forks have imported, so that the next ones need not."""
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    gc.freeze()


def files(folder: Path) -> dict[str, bytes]:
    """What a folder holds, besides locks."""
    found = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".lock")
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}
