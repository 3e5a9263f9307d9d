"""Time or peak memory of steps on sequences, in this process; ``efficiency_study`` runs it in fresh ones."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import torch

from ccnn_geo.experiments.benchmarks.sequence_layers import Case, Step, inputs
from ccnn_geo.experiments.benchmarks.timing import (
    MEMORY_ERRORS,
    forget_peak,
    limit_memory,
    peak_memory,
    synchronize,
)

TOY_LENGTH = 32
Job = Mapping[str, Any]
Row = dict[str, Any]


def measure(job: Job) -> list[Row]:
    """Returns samples for each case of a job, or the reason for having none."""
    cases = [Case(**case) for case in job["cases"]]
    if job["unit"] == "MB":
        return [peak_of_step(case) for case in cases]
    return time_steps(cases, job["repeats"], job["enough"])


def time_steps(cases: Sequence[Case], repeats: int, enough: float = 0.0) -> list[Row]:
    """Milliseconds of steps of cases of one shape, which take turns ``repeats`` times or for ``enough`` seconds."""
    rows: list[Row] = []
    models: dict[str, Step] = {}  # both settings measure the same ones
    data = inputs(cases[0])
    for case in cases:
        try:
            if case.method not in models:
                models[case.method] = Step(case, *data)
            _milliseconds(models[case.method], case.native)
            rows.append({"samples": []})
        except (RuntimeError, MemoryError) as error:
            rows.append({"failed": _out_of_memory(error)})
    begin, rounds = time.perf_counter(), 0
    while rounds < repeats or time.perf_counter() < begin + enough:
        for case, row in zip(cases, rows, strict=True):
            if "failed" not in row:
                row["samples"].append(_milliseconds(models[case.method], case.native))
        rounds += 1
    return rows


def peak_of_step(case: Case) -> Row:
    """Megabytes of a step, above those of model, input and the output's gradient."""
    try:
        for length in (TOY_LENGTH, case.length):  # a toy step loads libraries and starts threads
            sized = dataclasses.replace(case, length=length)
            step = Step(sized, *inputs(sized))
            start = forget_peak()
            for _ in range(2):
                _milliseconds(step, case.native)
        return {"samples": [peak_memory() - start]}
    except (RuntimeError, MemoryError) as error:
        return {"failed": _out_of_memory(error)}


def _milliseconds(step: Step, native: bool) -> float:
    with compiled_code(native):
        synchronize()
        begin = time.perf_counter()
        step()
        synchronize()
        taken = time.perf_counter() - begin
    step.forget()
    return 1e3 * taken


def compiled_code(on: bool) -> AbstractContextManager[Any]:
    """Turns compiled code on or off."""
    return mock.patch.dict(os.environ, CCNN_GEO_NATIVE=str(int(on)))


def _out_of_memory(error: Exception) -> str:
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or any(h in str(error) for h in MEMORY_ERRORS):
        return "out of memory: more than --megabytes, or than a GPU has"
    raise error


if __name__ == "__main__":
    work = json.loads(sys.argv[1])
    limit_memory(work["megabytes"])
    print(json.dumps({"rows": measure(work)}))
