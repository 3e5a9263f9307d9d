"""The commands ``ccnn-geo train`` and ``ccnn-geo test``."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from ccnn_geo.train_options import PARTS, every_option, plain_values, test_parser, train_parser


def train(arguments: list[str]) -> None:
    """Trains, or goes on with a run, and says where things are."""
    from ccnn_geo.training.quiet import quiet

    quiet()
    from ccnn_geo.predict import read_checkpoint
    from ccnn_geo.training import run
    from ccnn_geo.training.arguments import named_dataset, resume_point
    from ccnn_geo.training.checkpoint_file import PREVIOUS
    from ccnn_geo.training.failures import explain_failure, how_to_continue
    from ccnn_geo.training.resume import check_resume
    from ccnn_geo.training.runs import (
        claim_run,
        discard_run,
        previous_if_damaged,
        run_of,
        with_config_paths,
        without_config,
    )
    from ccnn_geo.training.trainer import Interrupted

    every, arguments = every_option(with_config_paths(arguments))
    resume = resume_point(arguments)
    if resume is not None and "--fallback" in arguments:
        resume = previous_if_damaged(resume)
    saved = None if resume is None else run_of(resume) / "config.yaml"
    if saved is not None and saved.is_file():  # what the run was started with, and what is said now
        kept = without_config(arguments)
        if len(kept) < len(arguments) and _is_first_process():
            print(f"  --config: not read, a run goes on with its own {saved}", flush=True)
        arguments = ["--config", str(saved), *kept]
    elif resume is not None:
        read_checkpoint(resume)  # settings would be missed first, of a file that is none
    config = train_parser(named_dataset(arguments), every).parse_args(arguments)
    settings = plain_values(config, PARTS)
    run.check(settings)  # before a folder is made
    if resume is not None:
        folder = run_of(resume)
        going_on = check_resume(settings, resume, folder)
    else:
        is_new = config.out is None or not Path(config.out).expanduser().exists()
        folder = claim_run(config.out, config.name, _is_first_process())
    if _is_first_process():
        goes_back = resume is not None and resume.name == PREVIOUS
        print(f"run: {folder}" + (f", from {PREVIOUS}" if goes_back else ""), flush=True)
        for line in going_on.lines() if resume is not None else ():
            print(line, flush=True)
    progress, report = _display(settings["trainer"])
    is_ours = resume is None and is_new and _is_first_process()
    discard = partial(discard_run, folder, numbered=config.out is None) if is_ours else lambda: None
    try:
        scores = run.train(settings, folder, resume, config.tensorboard, progress, report)
    except Interrupted:
        how = how_to_continue(folder) or "; no epoch was complete"
        where = f"; checkpoints in {folder / 'checkpoints'}" if (folder / "checkpoints").exists() else ""
        discard()
        raise KeyboardInterrupt(f"interrupted{where}{how}") from None
    except Exception as error:
        discard()
        explained = explain_failure(error, folder)
        if explained is error:
            raise
        raise explained from error
    if _is_first_process():
        print(_scores(f"validation ({scores.of})", scores))
        for what in ("checkpoints/best.ckpt", "metrics.csv", "curves.png", "confusion.png", "results.json"):
            if (folder / what).exists():  # a run of no epoch has no curves
                print(f"  {folder / what}")


def test(arguments: list[str]) -> None:
    """Evaluates a checkpoint on the test set."""
    from ccnn_geo.training.quiet import quiet

    quiet()
    from ccnn_geo.predict import checkpoint_file, read_checkpoint
    from ccnn_geo.training import run
    from ccnn_geo.training.arguments import first_positional, named_dataset
    from ccnn_geo.training.families import data_module, make_data

    every, arguments = every_option(arguments)
    named = first_positional(arguments)
    trained = {} if named is None else read_checkpoint(named)[0]["data"]
    before = trained.get("dataset", "parametric")
    dataset = named_dataset(arguments, before)
    if data_module(dataset) is not data_module(before):
        raise ValueError(
            f"data.dataset: the checkpoint was trained on {before}, {dataset} is of another kind"
        )
    if dataset != before:
        trained = {**trained, "dataset": dataset, "dataset_args": None}
    config = test_parser(trained, dataset, every).parse_args(arguments)
    plain = plain_values(config, ("data", "trainer"))
    progress, _ = _display(plain["trainer"])
    out = None if config.out is None else Path(config.out)
    scores, picture = run.test(
        checkpoint_file(config.checkpoint), plain["data"], plain["trainer"], out, progress
    )
    if _is_first_process():
        label = make_data(plain["data"]).label
        print(f"{_scores(f'test ({label})', scores)}  {picture}")


def _scores(what: str, scores: Any) -> str:
    return (
        f"{what}: accuracy {100 * scores.accuracy:.1f} %, "
        f"mean-class accuracy {100 * scores.mean_class_accuracy:.1f} %"
    )


def _display(trainer: dict[str, Any]) -> tuple[bool, Any]:
    """A progress bar on a terminal, or none; and how to print the line of an epoch so that it stays."""
    asked = trainer.get("enable_progress_bar")
    progress = sys.stdout.isatty() if asked is None else asked
    return progress, _stays if progress else _say


def _stays(line: str) -> None:
    """Prints a line above the bars."""
    from tqdm import tqdm

    tqdm.write(line)


def _say(line: str) -> None:
    print(line, flush=True)


def _is_first_process() -> bool:
    from pytorch_lightning.utilities import rank_zero_only

    rank: int = vars(rank_zero_only)["rank"]
    return rank == 0
