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
                        accuracy on the test set, e.g. --data.carrier voxels
  predict MODEL PATH... [--json | --csv | --out FOLDER]
                        answers files: shapes, images, recordings, series
  models [NAME]         trained networks that come with the package
  info [CHECKPOINT | PRESET | CONFIG]
                        versions and devices, or the parameters of a model
  export CHECKPOINT_OR_RUN OUT [--format ...]
                        a folder without pickles, or a program (torch.export,
                        ONNX)
  data list | info NAME | check ROOT | prepare NAME
                        data sets: which there are, what they take, download
                        and prepare; what a folder of your own holds
  show kernels | cloud | run ...
                        pictures of a trained network, .png or .html
  reproduce [NAME] [--root DIR]
                        a table or figure of the paper, small or in full
  gpu-check [--out DIR] everything that only a GPU can tell, in a report

ccnn-geo COMMAND --help lists the options of a command, ccnn-geo --version says
which release this is. --debug anywhere shows the traceback of an error.

exit codes: 0 done; 1 an error, told in one line; 2 wrong usage; 130 Ctrl-C;
143 SIGTERM.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code, one of those that :data:`USAGE` ends with."""
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
        return getattr(error, "exit_code", 130)  # Lightning is not imported to know that of SIGTERM
    except BrokenPipeError:  # the reader of our output has left
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
        prog="ccnn-geo info", description="Versions and devices, or the parameters of a model."
    )
    parser.add_argument("what", nargs="?", help="A checkpoint, a preset or a configuration.")
    parser.add_argument("--in-channels", type=int, help="By default those of the data set; for a preset 6.")
    parser.add_argument(
        "--out-channels", type=int, help="By default as many as its classes; for a preset 40."
    )
    options = parser.parse_args(arguments)

    from ccnn_geo.cli import info as inventory

    if options.what is None:
        rows = inventory.environment()
    else:
        rows = inventory.parameters(options.what, options.in_channels, options.out_channels)
    print_table(rows)


def _elsewhere(module: str, name: str = "main") -> Callable[[list[str]], None]:
    """A command of a module, imported when it runs."""
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
"""Commands whose help takes seconds to find out."""
