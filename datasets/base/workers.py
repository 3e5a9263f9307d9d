"""Work spread over processes that know nothing of the program that started them.

``multiprocessing`` either forks, which can hang a process that has used torch's threads, or imports the caller's
script again, which then must have an ``if __name__ == "__main__":``. Loky's processes do neither.
"""

import importlib.util
import os
import pickle
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from functools import partial

from ccnn_geo._base.caller import warn_caller
from ccnn_geo._base.extras import needs

SECONDS_IDLE = 10
"""Processes without work end after that time."""
SECONDS_BETWEEN_LOOKS = 1
"""How often a process looks whether its program still runs; loky's own would wait half a minute for a killed one."""

MOST_AT_ONCE = 64
"""Items that a process is sent together, at most."""

_Answer = tuple[Exception | None, object, list[tuple[str, type[Warning]]]]


def useful(work: int) -> int:
    """How many processes are worth their start, which takes seconds.

    Args:
        work: Portions of work that are each worth the start of one.

    Returns:
        0 or as many as there are portions, but no more than cores, which processes that ``torchrun`` has started here
        share.
    """
    if importlib.util.find_spec("loky") is None:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    num = min(work, cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    return num if num > 1 else 0


@contextmanager
def mapper(num: int) -> Iterator[Callable]:
    """``map`` in this process (0) or over ``num`` others, in order; the function must be importable by name.

    What a call raises is raised by the map, and what it warns of is said there.

    Raises:
        ImportError: If loky is missing, and others are asked for.
        RuntimeError: If a process ends before its time, for instance for want of memory.
        ValueError: If that is less than none.
    """
    if num < 0:
        raise ValueError(f"num_workers must be 0 or more, or None, got {num}")
    if num == 0:
        yield map
        return
    with needs("data", f"num_workers={num}"):
        from loky import ProcessPoolExecutor

    environment = {"OMP_NUM_THREADS": "1"}  # one core each
    ends = partial(_end_with, os.getpid())
    with ProcessPoolExecutor(num, timeout=SECONDS_IDLE, env=environment, initializer=ends) as pool:
        try:
            yield partial(_map, pool, num)
        except BaseException:  # do not wait for what nobody will read
            pool.shutdown(kill_workers=True)
            raise


def _end_with(program: int) -> None:
    """Ends this process soon after the one that started it, also in the middle of work that nobody will read."""

    def look() -> None:
        while os.getppid() == program:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def _map(pool: Executor, num: int, function: Callable, *columns: Sequence) -> Iterator[object]:
    """Results in order, each after the warnings that belong to it."""
    together = min(MOST_AT_ONCE, 1 + len(columns[0]) // (8 * num))
    try:
        for error, result, said in pool.map(partial(answer, function), *columns, chunksize=together):
            if error is not None:
                raise error
            for message, category in said:
                warn_caller(message, category)
            yield result
    except BrokenExecutor as error:
        raise RuntimeError("a worker process ended; if for want of memory, use fewer workers") from error


def answer(function: Callable, *row: object) -> _Answer:
    """What a call raises or returns, and what it warns of."""
    try:
        with warnings.catch_warnings(record=True) as said:
            result = function(*row)
        return None, result, [(str(w.message), w.category) for w in said]
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # some can be written but not read back
        except Exception:
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return error, None, []
