"""The command line: ``ccnn-geo train | test | predict | info | data | show | reproduce``."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccnn_geo.terminal import EXPECTED, Failure, OneLineParser, complain, print_table, reason

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

USAGE = """usage: ccnn-geo COMMAND ...

Continuous convolutional neural networks for sequences, images, shapes and scenes.

commands:
  train --config NAME_OR_FILE [overrides]   train a classifier, e.g. --config demo
  test CHECKPOINT_OR_RUN [overrides]        accuracy on the test set, e.g. --data.carrier voxels
  predict CHECKPOINT_OR_RUN FILE... [--json] classify meshes and point clouds
  info [CHECKPOINT | PRESET | CONFIG]       versions and devices, or the parameters of a model
  data list | info NAME | prepare NAME      data sets: which there are, what they take, download and prepare
  show kernels | cloud | run ...            pictures of a trained network, .png or interactive .html
  reproduce [NAME] [--root DIR]             a table or figure of the paper, at small scale or in full

ccnn-geo COMMAND --help lists the options of a command. --debug anywhere shows the traceback of an error.
"""


PARTS = ("name", "seed", "model", "optim", "data", "trainer")
"""What the configuration of a run consists of."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code: 0, 1 for an error, 2 for wrong usage, 130 for Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    command = _COMMANDS.get(arguments[0])
    if command is None:
        complain(f"unknown command {arguments[0]!r}, expected one of {', '.join(_COMMANDS)}")
        return 2
    try:
        command(arguments[1:])
    except Failure:
        return 1
    except argparse.ArgumentError as error:
        if debug:
            raise
        complain(f"{arguments[0]}: {error}")
        return 2
    except KeyboardInterrupt as error:
        complain(str(error) or "interrupted")
        return 130
    except BrokenPipeError:  # the reader of our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # one line for the user; --debug for the rest
        if debug:
            raise
        complain(reason(error) + ("" if isinstance(error, EXPECTED) else " (--debug shows where)"))
        return 1
    return 0


# train and test -----------------------------------------------------------------------------------


def _train_parser(dataset: str) -> ArgumentParser:
    from ccnn_geo.training.module import Classifier
    from ccnn_geo.training.network import build_network

    parser = _parser("train", "Trains a classifier; every option may also stand in the file of --config.")
    parser.add_argument("--config", action="config", help="A YAML file, or the name of a packaged one.")
    parser.add_argument("--name", type=str, default="run", help="Runs go to runs/NAME/NUMBER.")
    parser.add_argument("--seed", type=int, default=0, help="Of weights, order, augmentation and dropout.")
    parser.add_argument("--out", type=str | None, default=None, help="Folder of this run instead.")
    parser.add_argument(
        "--resume",
        nargs="?",
        const="newest",
        default=None,
        help="Continue a run exactly: the newest of this NAME, or a folder or checkpoint.",
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


def _test_parser(settings: dict[str, Any], dataset: str) -> ArgumentParser:
    parser = _parser(
        "test", "Evaluates a checkpoint on the test set, with the data settings of its training."
    )
    parser.add_argument("checkpoint", type=str, help="A checkpoint of train, or the run, for its best one.")
    parser.add_argument("--out", type=str | None, default=None, help="Folder of the results.")
    _add_data_and_trainer(parser, dataset)
    parser.set_defaults({f"data.{key}": value for key, value in settings.items()})
    return parser


def _parser(command: str, description: str) -> ArgumentParser:
    from jsonargparse import ArgumentParser

    return ArgumentParser(
        prog=f"ccnn-geo {command}", description=description, exit_on_error=False, allow_abbrev=False
    )


def _add_data_and_trainer(parser: ArgumentParser, dataset: str) -> None:
    from pytorch_lightning import Trainer

    from ccnn_geo.training.families import data_module
    from ccnn_geo.training.trainer import RESERVED

    parser.add_class_arguments(data_module(dataset), "data", instantiate=False)
    parser.add_class_arguments(Trainer, "trainer", skip=set(RESERVED), instantiate=False)


def _train(arguments: list[str]) -> None:
    from ccnn_geo.training.quiet import quiet

    quiet()
    from ccnn_geo.training.arguments import named_dataset, resume_point
    from ccnn_geo.training.run import check, check_resume, train
    from ccnn_geo.training.runs import claim_run, run_of, with_config_paths, without_config
    from ccnn_geo.training.trainer import Interrupted

    arguments = with_config_paths(arguments)
    resume = resume_point(arguments)
    saved = None if resume is None else run_of(resume) / "config.yaml"
    if saved is not None and saved.is_file():  # what the run was started with, and what is said now
        arguments = ["--config", str(saved), *without_config(arguments)]
    config = _train_parser(named_dataset(arguments)).parse_args(arguments)
    settings = _plain(config, PARTS)
    check(settings)  # before a folder is made
    if resume is not None:
        check_resume(settings, resume)
        folder = run_of(resume)
    else:
        folder = claim_run(config.out, config.name, _is_first_process())
    if _is_first_process():
        print(f"run: {folder}", flush=True)
    progress, report = _display(settings["trainer"])
    try:
        scores = train(settings, folder, resume, config.tensorboard, progress, report)
    except Interrupted:
        last = folder / "checkpoints" / "last.ckpt"
        how = (
            f"continue with: ccnn-geo train --resume {folder}" if last.is_file() else "no epoch was complete"
        )
        raise KeyboardInterrupt(f"interrupted; checkpoints in {folder / 'checkpoints'}; {how}") from None
    if _is_first_process():
        print(_scores("validation (best checkpoint)", scores))
        for what in ("checkpoints/best.ckpt", "metrics.csv", "curves.png", "confusion.png", "results.json"):
            if (folder / what).exists():  # a run of no epoch has no curves
                print(f"  {folder / what}")


def _test(arguments: list[str]) -> None:
    from ccnn_geo.training.quiet import quiet

    quiet()
    from ccnn_geo.predict import checkpoint_file, read_checkpoint
    from ccnn_geo.training.arguments import first_positional, named_dataset
    from ccnn_geo.training.families import data_module, make_data
    from ccnn_geo.training.run import test

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
    config = _test_parser(trained, dataset).parse_args(arguments)
    plain = _plain(config, ("data", "trainer"))
    progress, _ = _display(plain["trainer"])
    out = None if config.out is None else Path(config.out)
    scores, picture = test(checkpoint_file(config.checkpoint), plain["data"], plain["trainer"], out, progress)
    if _is_first_process():
        label = make_data(plain["data"]).label
        print(f"{_scores(f'test ({label})', scores)}  {picture}")


def _scores(what: str, scores: Any) -> str:
    return (
        f"{what}: accuracy {100 * scores.accuracy:.1f} %, "
        f"mean-class accuracy {100 * scores.mean_class_accuracy:.1f} %"
    )


def _display(trainer: dict[str, Any]) -> tuple[bool, Any]:
    """A progress bar on a terminal; in a log one line per epoch."""
    asked = trainer.get("enable_progress_bar")
    progress = sys.stdout.isatty() if asked is None else asked
    return progress, None if progress else lambda line: print(line, flush=True)


def _is_first_process() -> bool:
    from pytorch_lightning.utilities import rank_zero_only

    return rank_zero_only.rank == 0


def _plain(config: Namespace, parts: Sequence[str]) -> dict[str, Any]:
    """Dictionaries, lists and numbers only, as checkpoints and YAML need them."""
    values = config.as_dict()
    return json.loads(json.dumps({part: values[part] for part in parts}, default=_as_plain))


def _as_plain(value: Any) -> Any:
    from dataclasses import asdict, is_dataclass

    if is_dataclass(value):
        return asdict(value)
    raise ValueError(f"expected plain values, got {value!r}")


def _info(arguments: list[str]) -> None:
    parser = OneLineParser(
        prog="ccnn-geo info", description="Versions and devices, or the parameters of a model."
    )
    parser.add_argument("what", nargs="?", help="A checkpoint, a preset or a configuration.")
    parser.add_argument("--in-channels", type=int, help="By default those of the data set; for a preset 6.")
    parser.add_argument(
        "--out-channels", type=int, help="By default as many as its classes; for a preset 40."
    )
    options = parser.parse_args(arguments)

    from ccnn_geo.training import inventory

    if options.what is None:
        rows = inventory.environment()
    else:
        rows = inventory.parameters(options.what, options.in_channels, options.out_channels)
    print_table(rows)


def _elsewhere(module: str) -> Callable[[list[str]], None]:
    """The command of a module, imported when it runs."""
    return lambda arguments: importlib.import_module(module).main(arguments)


_COMMANDS = {
    "train": _train,
    "test": _test,
    "predict": _elsewhere("ccnn_geo.predict_command"),
    "info": _info,
    "data": _elsewhere("ccnn_geo.data_command"),
    "show": _elsewhere("ccnn_geo.show_command"),
    "reproduce": _elsewhere("ccnn_geo.experiments.studies"),
}

if __name__ == "__main__":
    sys.exit(main())
