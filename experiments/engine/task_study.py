"""A study of one network on a table of tasks: trained on each, and tested with the weights of the last epoch.

Tasks without data in ``--root`` are left out, and the report names them: MNIST alone gives its own rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study
from ccnn_geo.experiments.engine.task_report import SIZES, Average, Row, write_report
from ccnn_geo.experiments.engine.training_job import test, train
from ccnn_geo.experiments.engine.training_study import file_name


@dataclass(frozen=True)
class Small:
    """A task at small scale.

    Args:
        data: Description of the data, for the report.
        options: Options of the training, besides the study's shared ones.
        folder: Folder below ``--root`` that the task needs; empty if it needs none.
        root: The data set's own root below ``--root``.
        config: Configuration of another task, if the paper uses another data set.
        classes: Number of classes, if it differs from the paper.
        tested: Whether there is an official test set.
        test_options: Options of the test, for a task that tests another task's network.
        prepare: Makes the data in a folder of the job, which is then the data set's root.
    """

    data: str
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""
    root: str = ""
    config: str = ""
    classes: int = 0
    tested: bool = True
    test_options: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Task:
    """A column of the paper's table.

    Args:
        name: Name in the table.
        config: ``experiments/<config>/ccnn_*<suffix>.yaml``.
        paper: Test accuracies in percent of both sizes, as in :data:`SIZES`.
        folder: Folder of its files below ``--root``; without it the task is left out.
        classes: Number of classes, which gives the accuracy by chance.
        peer: The best other method in the table.
        small: The task at small scale; None if it is left out there.
        trained_as: The task whose network is tested; none is trained then.
        test_options: Options of that test.
        suffix: Suffix of its configurations' names.
    """

    name: str
    config: str
    paper: tuple[float, float]
    folder: str
    classes: int
    peer: tuple[str, float] | None = None
    small: Small | None = None
    trained_as: str = ""
    test_options: Mapping[str, Any] = field(default_factory=dict)
    suffix: str = ""

    def made_small(self, options: Options) -> Small | None:
        """Returns ``small`` at small scale, else None."""
        return self.small if options.scale == "small" else None


def task_study(
    name: str,
    title: str,
    source: str,
    tasks: Sequence[Task],
    shared: Mapping[str, Any],
    data: str,
    average: Average | None = None,
    note: str = "",
) -> Study:
    """Makes a study with one training per task, size and seed.

    Args:
        name: Name of the command.
        title: Subject of the study.
        source: Place in the paper.
        tasks: The table's columns.
        shared: Options of all tasks at small scale.
        data: Required content of ``--root``.
        average: The paper's average over some tasks.
        note: Text above the table at small scale.
    """

    def jobs(options: Options) -> list[Job]:
        chosen = [task for task in present(tasks, options) if not task.trained_as]
        return [
            Job(job_name(task.name, size, seed), partial(_run, task, size, options, seed))
            for seed in options.seeds  # one seed for all rows is worth more than all seeds for one row
            for size in sizes(options)
            for task in chosen
        ]

    def _run(task: Task, size: str, options: Options, seed: int, folder: Path) -> Numbers:
        root, small = options.data_root, task.made_small(options)
        if small is None:
            found = train(folder, f"{task.config}/{SIZES[size]}{task.suffix}", seed, data__root=str(root))
        else:
            root = folder / "data" if small.prepare else root / small.root
            if small.prepare:
                small.prepare(root)
            changes = {**shared, **small.options, "data__root": str(root)}
            found = train(folder, small.config or f"{task.config}/ccnn_4_140", seed, **changes)
        if small is None or small.tested:
            found["test"] = test(folder)
        for other in present(tasks, options):
            if other.trained_as == task.name:
                asked = other.made_small(options) or other
                found[other.name] = test(folder, file_name(other.name), **asked.test_options)
        return found

    def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
        rows = [
            Row(
                task.name,
                size,
                small.data if small else "",
                (small and small.classes) or task.classes,
                task.paper,
                task.peer,
                [numbers[job_name(task.trained_as or task.name, size, s)] for s in options.seeds],
                task.name if task.trained_as else "test",
            )
            for task in present(tasks, options)
            for small in [task.made_small(options)]
            for size in sizes(options)
        ]
        names = {row.name for row in rows}
        lines = [note, ""] if note and options.scale == "small" else []
        lines += write_report(rows, average, folder)
        if left_out := [task.name for task in tasks if task.name not in names]:
            lines += ["", f"Not run, because --root or this scale does not have them: {', '.join(left_out)}."]
        return "\n".join(lines)

    return Study(name, title, source, jobs, report, data)


def sizes(options: Options) -> tuple[str, ...]:
    """Networks of a scale; at small scale there is one, without a name."""
    return tuple(SIZES) if options.scale == "paper" else ("",)


def job_name(task: str, size: str, seed: int) -> str:
    """The name of a job and of its folder."""
    return file_name("-".join(part for part in (task, size, str(seed)) if part))


def present(tasks: Sequence[Task], options: Options) -> list[Task]:
    """Lists the tasks of a scale that have data.

    Raises:
        FileNotFoundError: If there is none.
    """
    at_scale = [
        (task, (task.made_small(options) or task).folder)
        for task in tasks
        if options.scale == "paper" or task.small is not None
    ]
    found = [task for task, folder in at_scale if (options.data_root / folder).is_dir()]
    if not found:
        folders = ", ".join(dict.fromkeys(f"{folder}/" for _, folder in at_scale))
        raise FileNotFoundError(f"--root {options.root}: expected one or more of {folders}")
    return found
