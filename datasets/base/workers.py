"""Work spread over processes that know nothing of the program that started them.

``multiprocessing`` either forks, which can hang a process that has used torch's threads, or imports the caller's
script again, which then must have an ``if __name__ == "__main__":``. These workers are plain interpreters at the
end of a pipe. They end when the pipe does, so a killed program leaves none behind.
"""

import os
import pickle
import queue
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO

from ccnn_geo._base.caller import warn_caller

_Answer = tuple[object, list[tuple[str, type[Warning]]]]
_COMMAND = "from ccnn_geo.datasets.base.workers import serve; serve()"


class Workers:
    """A pool of processes; use it in a ``with`` statement.

    Args:
        num: how many.
    """

    def __init__(self, num: int) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        environment["OMP_NUM_THREADS"] = "1"  # one core each
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-c", _COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
            )
            for _ in range(num)
        ]
        self._idle: queue.SimpleQueue[subprocess.Popen] = queue.SimpleQueue()
        for process in self._processes:
            self._idle.put(process)
        self._threads = ThreadPoolExecutor(num)

    def map(self, function: Callable, *columns: Sequence) -> Iterator:
        """``map(function, *columns)`` in order; the function must be importable by name.

        What a call raises is raised here, and what it warns of is said here.

        Raises:
            RuntimeError: if a worker ends before its time, for instance for want of memory.
        """
        return _told(self._threads.map(lambda *row: self._call(function, row), *columns))

    def _call(self, function: Callable, row: tuple) -> _Answer:
        process = self._idle.get()
        try:
            requests, answers = _pipes(process)
            pickle.dump((function, row), requests)
            requests.flush()
            error, result, said = pickle.load(answers)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise RuntimeError(
                f"a worker process ended at {row!r} with code {process.poll()}; if for want of memory, use fewer "
                f"workers"
            ) from error
        finally:
            self._idle.put(process)
        if error is not None:
            raise error
        return result, said

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:  # do not wait for what nobody will read
            for process in self._processes:
                process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for process in self._processes:
            requests, answers = _pipes(process)
            answers.close()
            with suppress(BrokenPipeError):  # it has ended already
                requests.close()
            process.wait()


@contextmanager
def mapper(num: int) -> Iterator[Callable]:
    """``map`` in this process (0) or over ``num`` others.

    Raises:
        ValueError: If that is less than none.
    """
    if num < 0:
        raise ValueError(f"num_workers must be 0 or more, or None, got {num}")
    if num == 0:
        yield map
    else:
        with Workers(num) as workers:
            yield workers.map


def _told(answers: Iterator[_Answer]) -> Iterator[object]:
    """Results, after the warnings that belong to them."""
    for result, said in answers:
        for message, category in said:
            warn_caller(message, category)
        yield result


def _pipes(process: subprocess.Popen) -> tuple[IO[bytes], IO[bytes]]:
    """Where a worker reads, and where it writes."""
    assert process.stdin is not None and process.stdout is not None
    return process.stdin, process.stdout


def serve() -> None:
    """What a worker does: read a call, make it, write the result, until the pipe ends."""
    tasks = sys.stdin.buffer
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not get among the results
    while True:
        try:
            function, row = pickle.load(tasks)
        except (EOFError, KeyboardInterrupt):
            return
        try:
            with warnings.catch_warnings(record=True) as said:
                result = function(*row)
            answer = pickle.dumps((None, result, [(str(w.message), w.category) for w in said]))
        except Exception as error:  # of the call, or of a result that cannot be sent
            answer = _packed(error)
        results.write(answer)
        results.flush()


def _packed(error: Exception) -> bytes:
    try:
        pickle.loads(answer := pickle.dumps((error, None, [])))  # some can be written but not read back
        return answer
    except Exception:
        return pickle.dumps((RuntimeError(f"{type(error).__name__}: {error}"), None, []))
