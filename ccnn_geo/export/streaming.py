"""Predicts for many files in order: prepares some while others go through the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Protocol

from ccnn_geo.export.answers import Answer


class Answers(Protocol):
    """Prepares samples and predicts for them."""

    def prepare(self, source: Any) -> Any: ...

    def answer(self, samples: Sequence[Any]) -> list[Answer | ValueError]: ...


def stream_answers(
    model: Answers, sources: Iterable[Any], batch_size: int = 32
) -> Iterator[tuple[Any, Answer | Exception]]:
    """Predicts for sources in order; an error takes the place of a prediction.

    Args:
        model: The network with its pipeline.
        sources: Sources for :func:`~ccnn_geo.predict`; they are consumed as needed.
        batch_size: Most samples that go through the network together.

    Yields:
        Each source with its prediction or error.
    """
    rest = iter(sources)
    with ThreadPoolExecutor(1) as reader:  # one: readers change the filters of warnings for the whole process
        ahead: deque[tuple[Any, Future[Any]]] = deque()

        def fill() -> None:
            for source in islice(rest, 2 * batch_size - len(ahead)):
                ahead.append((source, reader.submit(model.prepare, source)))

        fill()
        while ahead:
            some = [ahead.popleft() for _ in range(min(batch_size, len(ahead)))]
            prepared = [(source, _result(future)) for source, future in some]
            fill()
            yield from _answered(model, prepared)


def _result(future: Future[Any]) -> Any | Exception:
    try:
        return future.result()
    except Exception as error:  # no file may stop the others
        return error


def _answered(
    model: Answers, prepared: list[tuple[Any, Any | Exception]]
) -> Iterator[tuple[Any, Answer | Exception]]:
    samples = [sample for _, sample in prepared if not isinstance(sample, Exception)]
    try:
        answers: Iterator[Answer | Exception] = iter(model.answer(samples))
    except Exception:  # one of them failed: which one?
        answers = iter([_alone(model, sample) for sample in samples])
    for source, sample in prepared:
        yield source, sample if isinstance(sample, Exception) else next(answers)


def _alone(model: Answers, sample: Any) -> Answer | Exception:
    try:
        return model.answer([sample])[0]
    except Exception as error:  # reported for this file
        return error
