"""The commands ``ccnn-geo train`` and ``ccnn-geo test``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial, reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

PARTS = ("name", "seed", "model", "optim", "data", "trainer")
"""What the configuration of a run consists of."""


def train_parser(dataset: str, every: bool = False) -> ArgumentParser:
    """Options of ``train`` for a data set of this name, whose family has options of its own.

    Args:
        dataset: Its name.
        every: Whether ``--help`` is to show all arguments of Lightning's trainer.
    """
    from ccnn_geo.nn.build import build_network
    from ccnn_geo.training.module import Classifier
    from ccnn_geo.training.runs import packaged_configs

    parser = _parser(
        "train",
        "Trains a classifier; every option may also stand in the file of --config.\n\n"
        f"The options of --data are those of {dataset}; for another of `ccnn-geo data list` ask with its name: "
        "ccnn-geo train --data.dataset cifar10 --help.",
        f"Packaged configurations: {', '.join(packaged_configs())}.",
        every,
    )
    parser.add_argument("--config", action="config", help="A YAML file, or the name of a packaged one.")
    parser.add_argument("--name", type=str, default="run", help="Runs go to runs/NAME/NUMBER.")
    parser.add_argument("--seed", type=int, default=0, help="Of weights, order, augmentation and dropout.")
    parser.add_argument("--out", type=str | None, default=None, help="Folder of this run instead.")
    parser.add_argument(
        "--resume",
        nargs="?",
        const="newest",
        default=None,
        help="Continue a run exactly: the newest of this NAME, or a folder or checkpoint; other settings than before "
        "count from now on, or are refused.",
    )
    parser.add_argument(
        "--fallback",
        action="store_true",
        help="With --resume: if the last checkpoint is damaged, continue from that of the epoch before.",
    )
    parser.add_argument("--tensorboard", action="store_true", help="Also log for TensorBoard.")
    parser.add_function_arguments(
        build_network, "model", skip={"in_channels", "out_channels", "dim", "readout"}, as_group=True
    )
    parser.add_class_arguments(
        Classifier,
        "optim",
        skip={"network", "classes", "in_channels", "dim", "readout", "seed", "data"},
        instantiate=False,
    )
    _add_data_and_trainer(parser, dataset)
    return parser


def _test_parser(settings: dict[str, Any], dataset: str, every: bool = False) -> ArgumentParser:
    from ccnn_geo.training.flags import TRAINING

    parser = _parser(
        "test",
        "Evaluates a checkpoint on the test set, with the data settings of its training.",
        "Defaults are those of the training: ccnn-geo test CHECKPOINT --help shows them.",
        every,
    )
    parser.add_argument(
        "checkpoint",
        type=str,
        help="A checkpoint of train, or the run, for its best one; runs/NAME is the newest run.",
    )
    parser.add_argument("--out", type=str | None, default=None, help="Folder of the results.")
    _add_data_and_trainer(parser, dataset, TRAINING)
    parser.set_defaults({f"data.{key}": value for key, value in settings.items()})
    return parser


def _parser(command: str, description: str, epilog: str, every: bool) -> ArgumentParser:
    from jsonargparse import ArgumentParser

    from ccnn_geo.cli.option_help import AllOptions, CommonOptions

    return ArgumentParser(
        prog=f"ccnn-geo {command}",
        description=description,
        epilog=epilog,
        formatter_class=AllOptions if every else CommonOptions,
        exit_on_error=False,
        allow_abbrev=False,
    )


def _every_option(arguments: list[str]) -> tuple[bool, list[str]]:
    """Whether help on all options is asked for, and the arguments with ``--help`` in its place."""
    return "--help-all" in arguments, ["--help" if a == "--help-all" else a for a in arguments]


def _add_data_and_trainer(parser: ArgumentParser, dataset: str, without: Sequence[str] = ()) -> None:
    from pytorch_lightning import Trainer

    from ccnn_geo.training.data.families import data_module
    from ccnn_geo.training.trainer import RESERVED

    parser.add_class_arguments(data_module(dataset), "data", instantiate=False)
    parser.add_class_arguments(Trainer, "trainer", skip={*RESERVED, *without}, instantiate=False)
    _read_whole_numbers_as_such(parser)


def _read_whole_numbers_as_such(parser: ArgumentParser) -> None:
    """A number of batches is one, and not a share: 1 is a batch, 1.0 all of them.

    Types of Lightning say so, but ``typing`` takes ``float | int`` for the same as ``int | float``, and a parser the
    first that fits.
    """
    for action in parser._actions:
        kinds = get_args(getattr(action, "_typehint", None))
        if {int, float} <= set(kinds):
            ordered = sorted(kinds, key=lambda kind: kind is not int)
            vars(action)["_typehint"] = reduce(or_, ordered)


def train(arguments: list[str]) -> None:
    """Trains, or goes on with a run, and says where things are."""
    from ccnn_geo.cli.quiet import quiet

    quiet()
    from ccnn_geo.cli.arguments import named_dataset, resume_point
    from ccnn_geo.export.trained import read_checkpoint
    from ccnn_geo.io.models.checkpoint import PREVIOUS
    from ccnn_geo.training import run
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

    every, arguments = _every_option(with_config_paths(arguments))
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
    from ccnn_geo.cli.quiet import quiet

    quiet()
    from ccnn_geo.cli.arguments import first_positional, named_dataset
    from ccnn_geo.export.trained import checkpoint_file, read_checkpoint
    from ccnn_geo.training import run
    from ccnn_geo.training.data.families import data_module, make_data

    every, arguments = _every_option(arguments)
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
    config = _test_parser(trained, dataset, every).parse_args(arguments)
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


def plain_values(config: Namespace, parts: Sequence[str]) -> dict[str, Any]:
    """Dictionaries, lists and numbers only, as checkpoints and YAML need them."""
    values = config.as_dict()
    return json.loads(json.dumps({part: values[part] for part in parts}, default=_as_plain))


def _as_plain(value: Any) -> Any:
    from dataclasses import asdict, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise ValueError(f"expected plain values, got {value!r}")
