"""The command line, ``ccnn-geo COMMAND``; :data:`USAGE` lists the commands."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Sequence

from ccnn_geo._base.nearest import did_you_mean
from ccnn_geo._base.version import VERSION
from ccnn_geo.cli.help_pages import is_general, show_help
from ccnn_geo.cli.terminal import EXPECTED, Failure, OneLineParser, complain, print_table, reason

USAGE = """usage: ccnn-geo COMMAND ...

Continuous convolutional neural networks for sequences, images, shapes and
scenes.

commands:
  train --config NAME_OR_FILE [overrides]
                        trains a network, e.g. --config demo
  test CHECKPOINT_OR_RUN [overrides]
                        measures accuracy on the test set, e.g. --data.carrier
                        voxels
  predict MODEL PATH... [--json | --csv | --out FOLDER]
                        predicts for files: shapes, images, recordings, series
  models [NAME]         lists the trained networks that come with the package
  info [CHECKPOINT | PRESET | CONFIG]
                        shows versions and devices, or the parameters of a model
  export CHECKPOINT_OR_RUN OUT [--format ...]
                        writes a folder without pickles, or a program
                        (torch.export, ONNX)
  data list | info NAME | check ROOT | prepare NAME
                        lists, describes, downloads and prepares data sets;
                        checks a folder of your own files
  show kernels | cloud | run ...
                        draws pictures of a trained network, .png or .html
  reproduce [NAME] [--root DIR]
                        repeats a table or figure of the paper, small or in full
  gpu-check [--out DIR] checks everything that needs a GPU, and writes a report

ccnn-geo COMMAND --help lists the options of a command; ccnn-geo --version
prints the release. --debug anywhere shows the traceback of an error.

exit codes: 0 success; 1 error, reported in one line; 2 wrong usage; 130 Ctrl-C;
143 SIGTERM.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; :data:`USAGE` lists the codes."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"ccnn-geo {VERSION}")
        return 0
    command = COMMANDS.get(arguments[0])
    if command is None:
        complain(
            f"unknown command {arguments[0]!r}, expected one of {', '.join(COMMANDS)}"
            + did_you_mean(arguments[0], COMMANDS)
        )
        return 2
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: complain(str(message))
            if arguments[0] in _REMEMBERED and is_general(arguments[0], arguments[1:]):
                show_help(arguments[0], arguments[1:], command)
                return 0
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
        return getattr(error, "exit_code", 130)  # the code of SIGTERM, without an import of Lightning
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # one line for the user; --debug for the rest
        if debug:
            raise
        complain(reason(error) + ("" if isinstance(error, EXPECTED) else " (--debug shows where)"))
        return 1
    return 0


def _info(arguments: list[str]) -> None:
    parser = OneLineParser(
        prog="ccnn-geo info", description="Shows versions and devices, or the parameters of a model."
    )
    parser.add_argument("what", nargs="?", help="A checkpoint, a preset or a configuration.")
    parser.add_argument("--in-channels", type=int, help="Defaults to those of the data set; 6 for a preset.")
    parser.add_argument(
        "--out-channels", type=int, help="Defaults to the number of its classes; 40 for a preset."
    )
    options = parser.parse_args(arguments)

    from ccnn_geo.cli import info as inventory

    if options.what is None:
        rows = inventory.environment()
    else:
        rows = inventory.parameters(options.what, options.in_channels, options.out_channels)
    print_table(rows)


def _elsewhere(module: str, name: str = "main") -> Callable[[list[str]], None]:
    """Returns a command whose module is imported when it runs."""
    return lambda arguments: getattr(importlib.import_module(module), name)(arguments)


COMMANDS = {
    "train": _elsewhere("ccnn_geo.cli.train", "train"),
    "test": _elsewhere("ccnn_geo.cli.train", "test"),
    "predict": _elsewhere("ccnn_geo.cli.predict"),
    "models": _elsewhere("ccnn_geo.cli.models"),
    "export": _elsewhere("ccnn_geo.cli.export"),
    "info": _info,
    "data": _elsewhere("ccnn_geo.cli.data"),
    "show": _elsewhere("ccnn_geo.cli.show"),
    "reproduce": _elsewhere("ccnn_geo.experiments.engine.studies"),
    "gpu-check": _elsewhere("ccnn_geo.experiments.gpu_check.__main__"),
}

_REMEMBERED = ("train", "test", "reproduce")
"""Commands whose help takes seconds to compute."""
