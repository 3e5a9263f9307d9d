"""The options of ``ccnn-geo train`` and ``ccnn-geo test``, and the settings of a command line as plain values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

PARTS = ("name", "seed", "from", "task", "early_stopping", "model", "optim", "data", "trainer")
"""The sections of a run's configuration."""


def train_parser(dataset: str, every: bool = False) -> ArgumentParser:
    """Options of ``train`` for a data set; each family of data sets has its own.

    Args:
        dataset: The name of the data set.
        every: Whether ``--help`` shows all arguments of Lightning's trainer.
    """
    from ccnn_geo.nn.build import build_network
    from ccnn_geo.training.module import Learner
    from ccnn_geo.training.runs import packaged_configs

    parser = _parser(
        "train",
        "Trains a network. The file of --config can set every option.\n\n"
        f"The options of --data are those of {dataset}; `ccnn-geo data list` names the other data sets. Name one to "
        "see its options: ccnn-geo train --data.dataset cifar10 --help.",
        f"Packaged configurations: {', '.join(packaged_configs())}.",
        every,
    )
    parser.add_argument(
        "--config", action="config", help="A YAML file, or the name of a packaged configuration."
    )
    parser.add_argument(
        "--name",
        type=str | None,
        default=None,
        help="Runs go to runs/NAME/NUMBER. Defaults to the name of the configuration's file, or else of the data set.",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="Seed of weights, order, augmentation and dropout."
    )
    parser.add_argument(
        "--task",
        type=str | None,
        default=None,
        help="classification (a class per sample), segmentation (a class per point) or regression (numbers). Defaults "
        "to the task that the data have truths for.",
    )
    parser.add_argument(
        "--early_stopping",
        type=int | None,
        default=None,
        help="Stop the training after this many validations without improvement.",
    )
    parser.add_argument(
        "--from",
        type=str | None,
        default=None,
        metavar="MODEL",
        help="Start from a trained network (one of ccnn-geo models, a checkpoint, a run or a folder): its settings, "
        "its weights, and a new head unless the classes are the same. --optim.trunk_lr 0 trains the head alone.",
    )
    parser.add_argument(
        "--out", type=str | None, default=None, help="Folder of this run, in place of runs/NAME/NUMBER."
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="newest",
        default=None,
        help="Continue a run exactly: the newest of this NAME, or a folder or checkpoint. Changed settings apply from "
        "now on, or are refused.",
    )
    parser.add_argument(
        "--fallback",
        action="store_true",
        help="With --resume: if the last checkpoint is damaged, continue from the one an epoch earlier.",
    )
    parser.add_argument("--tensorboard", action="store_true", help="Also log for TensorBoard.")
    parser.add_function_arguments(
        build_network, "model", skip={"in_channels", "out_channels", "dim", "readout"}, as_group=True
    )
    parser.add_class_arguments(
        Learner,
        "optim",
        skip={
            "network",
            "classes",
            "in_channels",
            "dim",
            "readout",
            "seed",
            "data",
            "pipeline",
            "task",
            "targets",
        },
        instantiate=False,
    )
    _add_data_and_trainer(parser, dataset)
    return parser


def test_parser(settings: dict[str, Any], dataset: str, every: bool = False) -> ArgumentParser:
    """Options of ``test``; their defaults are the settings of the training."""
    from ccnn_geo.training.flags import TRAINING

    parser = _parser(
        "test",
        "Evaluates a checkpoint on the test set, with the data settings of its training.",
        "Defaults are the settings of the training; ccnn-geo test CHECKPOINT --help shows them.",
        every,
    )
    parser.add_argument(
        "checkpoint",
        type=str,
        help="A checkpoint of train, or a run for its best checkpoint; runs/NAME is the newest run.",
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


def _add_data_and_trainer(parser: ArgumentParser, dataset: str, without: Sequence[str] = ()) -> None:
    from ccnn_geo.training.data.families import data_module
    from ccnn_geo.training.lightning import Trainer
    from ccnn_geo.training.trainer import RESERVED

    parser.add_class_arguments(data_module(dataset), "data", instantiate=False)
    parser.add_class_arguments(Trainer, "trainer", skip={*RESERVED, *without}, instantiate=False)
    _read_whole_numbers_as_such(parser)


def _read_whole_numbers_as_such(parser: ArgumentParser) -> None:
    """Makes the parser read 1 as one batch and 1.0 as all of them.

    Lightning's types say so, but ``typing`` treats ``float | int`` and ``int | float`` as equal, and a parser takes
    the first type that fits.
    """
    for action in parser._actions:
        kinds = get_args(getattr(action, "_typehint", None))
        if {int, float} <= set(kinds):
            ordered = sorted(kinds, key=lambda kind: kind is not int)
            vars(action)["_typehint"] = reduce(or_, ordered)


def every_option(arguments: list[str]) -> tuple[bool, list[str]]:
    """Whether ``--help-all`` is given, and the arguments with ``--help`` in its place."""
    return "--help-all" in arguments, ["--help" if a == "--help-all" else a for a in arguments]


def plain_values(config: Namespace, parts: Sequence[str]) -> dict[str, Any]:
    """The settings as dictionaries, lists and numbers only, as checkpoints and YAML need them."""
    values = config.as_dict()
    return json.loads(json.dumps({part: values[part] for part in parts}, default=_as_plain))


def _as_plain(value: Any) -> Any:
    from dataclasses import asdict, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise ValueError(f"expected plain values, got {value!r}")
