"""Spreads work over processes that share nothing with the program that started them.

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
"""Idle processes end after this time."""
SECONDS_BETWEEN_LOOKS = 1
"""Time between checks whether the program still runs; loky itself would wait half a minute for a killed one."""

MOST_AT_ONCE = 64
"""Most items sent to a process at once."""

_Answer = tuple[Exception | None, object, list[tuple[str, type[Warning]]]]


def useful(work: int) -> int:
    """Returns how many processes are worth their start, which takes seconds.

    Args:
        work: Portions of work, each worth the start of one process.

    Returns:
        0, or one per portion, but no more than the cores of this process; processes that ``torchrun`` has started on
        this machine share its cores.
    """
    if importlib.util.find_spec("loky") is None:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    num = min(work, cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    return num if num > 1 else 0


@contextmanager
def mapper(num: int) -> Iterator[Callable]:
    """``map`` in this process (0) or over ``num`` others, in order; the function must be importable by name.

    Errors and warnings of a call are raised and shown here.

    Raises:
        ImportError: If other processes are requested and loky is missing.
        RuntimeError: If a process ends early, for instance for lack of memory.
        ValueError: If ``num`` is negative.
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
        except BaseException:  # do not wait for results that nobody will read
            pool.shutdown(kill_workers=True)
            raise


def _end_with(program: int) -> None:
    """Ends this process soon after the program that started it, even in the middle of work."""

    def look() -> None:
        while os.getppid() == program:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def _map(pool: Executor, num: int, function: Callable, *columns: Sequence) -> Iterator[object]:
    """Yields results in order, each after its warnings."""
    together = min(MOST_AT_ONCE, 1 + len(columns[0]) // (8 * num))
    try:
        for error, result, said in pool.map(partial(answer, function), *columns, chunksize=together):
            if error is not None:
                raise error
            for message, category in said:
                warn_caller(message, category)
            yield result
    except BrokenExecutor as error:
        raise RuntimeError("a worker process ended; if it ran out of memory, use fewer workers") from error


def answer(function: Callable, *row: object) -> _Answer:
    """Captures what a call returns or raises, and its warnings."""
    try:
        with warnings.catch_warnings(record=True) as said:
            result = function(*row)
        return None, result, [(str(w.message), w.category) for w in said]
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # some can be pickled but not unpickled
        except Exception:
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return error, None, []
