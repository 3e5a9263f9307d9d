"""The commands ``ccnn-geo train`` and ``ccnn-geo test``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ccnn_geo._base.extras import MissingExtra, require
from ccnn_geo.cli.misspelt import parse
from ccnn_geo.cli.train_options import PARTS, every_option, plain_values, test_parser, train_parser


def train(arguments: list[str]) -> None:
    """Trains or resumes a run, and prints the paths of its results."""
    require("train", "train")
    from ccnn_geo.cli.quiet import quiet

    quiet()
    from ccnn_geo.cli.arguments import named_dataset, named_run, resume_point
    from ccnn_geo.cli.start import refuse_start_and_resume, with_settings_of_start
    from ccnn_geo.export.trained import read_checkpoint
    from ccnn_geo.io.models.checkpoint import PREVIOUS
    from ccnn_geo.training import run
    from ccnn_geo.training.data.sources import check_root
    from ccnn_geo.training.resume import check_resume
    from ccnn_geo.training.runs import (
        claim_run,
        discard_run,
        previous_if_damaged,
        run_of,
        with_config_paths,
        without_config,
    )

    every, arguments = every_option(with_config_paths(arguments))
    refuse_start_and_resume(arguments)
    resume = resume_point(arguments)
    if resume is not None and "--fallback" in arguments:
        resume = previous_if_damaged(resume)
    saved = None if resume is None else run_of(resume) / "config.yaml"
    if saved is not None and saved.is_file():  # the settings of the run's start, then those given now
        kept = without_config(arguments)
        if len(kept) < len(arguments):
            _say_first(f"  --config: not read, a resumed run keeps its own {saved}")
        arguments = ["--config", str(saved), *kept]
    elif resume is not None:
        read_checkpoint(resume)  # a file that is no checkpoint fails here, not for missing settings
    with with_settings_of_start(arguments) as arguments:
        config = parse(train_parser(named_dataset(arguments), every), arguments)
        settings = plain_values(config, PARTS)
        settings["name"] = settings["name"] or named_run(arguments) or settings["data"]["dataset"]
    run.check(settings)  # before the folder is made
    check_root(settings["data"]["dataset"], settings["data"]["root"])
    if config.tensorboard:
        require("viz", "--tensorboard", "tensorboard")
    if resume is not None:
        folder = run_of(resume)
        going_on = check_resume(settings, resume, folder)
        _say_first(f"run: {folder}" + (f", from {PREVIOUS}" if resume.name == PREVIOUS else ""))
        for line in going_on.lines():
            _say_first(line)
    elif settings["trainer"].get("fast_dev_run"):
        _say_first("run: none, fast_dev_run writes no folder")
        with TemporaryDirectory() as nowhere:
            _train_in(Path(nowhere), settings)
        return
    else:
        is_new = config.out is None or not Path(config.out).expanduser().exists()
        folder = claim_run(config.out, settings["name"], _is_first_process())
        _say_first(f"run: {folder}")
    done = False
    try:
        _train_in(folder, settings, resume, config.tensorboard)
        done = True
    finally:
        is_ours = resume is None and is_new and _is_first_process()
        if not done and is_ours and discard_run(folder, numbered=config.out is None):
            _say_first(f"  {folder} removed, no epoch was complete")


def _train_in(
    folder: Path, settings: dict[str, Any], resume: Path | None = None, tensorboard: bool = False
) -> None:
    """Trains and lists the files of the run; an interruption reports how to continue."""
    from ccnn_geo.training import run
    from ccnn_geo.training.failures import explain_failure, how_to_continue
    from ccnn_geo.training.trainer import Interrupted
    from ccnn_geo.visualization.run_plots import draw_training

    progress, report = _display(settings["trainer"])
    try:
        scores = run.train(settings, folder, resume, tensorboard, progress, report)
    except Interrupted as end:
        stored = folder / "checkpoints"
        where = f"; checkpoints in {stored}" if any(stored.glob("[!.]*")) else ""
        raise type(end)(
            f"{end.said}{where}{how_to_continue(folder) or '; no epoch was complete, start again'}"
        ) from None
    except Exception as error:
        explained = explain_failure(error, folder)
        if explained is error:
            raise
        raise explained from error
    _drawn(draw_training, folder, scores)
    _say_first(f"validation ({scores.of}): {scores.summary()}")
    if not settings["trainer"].get("fast_dev_run"):
        pictures = ("curves.png", f"{scores.picture}.png", "scene.png")
        for what in ("checkpoints/best.ckpt", "metrics.csv", *pictures, "results.json"):
            if (folder / what).exists():  # a run without an epoch has no curves
                _say_first(f"  {folder / what}")


def test(arguments: list[str]) -> None:
    """Evaluates a checkpoint on the test set."""
    require("train", "test")
    from ccnn_geo.cli.quiet import quiet

    quiet()
    from ccnn_geo.cli.arguments import first_positional, named_dataset
    from ccnn_geo.export.trained import checkpoint_file, read_checkpoint
    from ccnn_geo.training import run
    from ccnn_geo.training.data.families import data_module, make_data
    from ccnn_geo.training.runs import run_of
    from ccnn_geo.visualization.run_plots import draw_test

    every, arguments = every_option(arguments)
    named = first_positional(arguments)
    trained = {} if named is None else read_checkpoint(named)[0]["data"]
    before = trained.get("dataset", "parametric")
    dataset = named_dataset(arguments, before)
    if data_module(dataset) is not data_module(before):
        raise ValueError(
            f"data.dataset: the checkpoint was trained on {before}, but {dataset} is a different kind of data"
        )
    if dataset != before:
        trained = {**trained, "dataset": dataset, "dataset_args": None}
    config = parse(test_parser(trained, dataset, every), arguments)
    plain = plain_values(config, ("data", "trainer"))
    progress, _ = _display(plain["trainer"])
    out = None if config.out is None else Path(config.out)
    checkpoint = checkpoint_file(config.checkpoint)
    scores, name = run.test(checkpoint, plain["data"], plain["trainer"], out, progress)
    label = make_data(plain["data"]).label
    picture = (out or run_of(checkpoint)) / f"{scores.picture}_{name}.png"
    where = f"  {picture}" if _drawn(draw_test, picture, scores, label) else ""
    _say_first(f"test ({label}): {scores.summary()}{where}")


def _drawn(draw: Callable[..., None], *given: Any) -> bool:
    """Draws in the first process; reports if matplotlib is missing."""
    try:
        if _is_first_process():
            draw(*given)
    except MissingExtra as missing:
        _say(f"  no pictures drawn: {missing.remedy}")
        return False
    return True


def _display(trainer: dict[str, Any]) -> tuple[bool, Any]:
    """Whether to show a progress bar, and the function that prints the line of an epoch beside it."""
    asked = trainer.get("enable_progress_bar")
    progress = sys.stdout.isatty() if asked is None else asked
    return progress, _stays if progress else _say


def _stays(line: str) -> None:
    """Prints a line above the progress bars."""
    from tqdm import tqdm

    tqdm.write(line)


def _say(line: str) -> None:
    print(line, flush=True)


def _say_first(line: str) -> None:
    """Prints a line in the first process."""
    if _is_first_process():
        _say(line)


def _is_first_process() -> bool:
    from ccnn_geo.training.lightning import rank_zero_only

    rank: int = vars(rank_zero_only)["rank"]
    return rank == 0
