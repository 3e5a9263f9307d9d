"""How ``ccnn-geo train --help`` and ``test --help`` read on a terminal: in plain words, and not all of Lightning."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterable

from ccnn_geo._base.extras import needs
from ccnn_geo.cli.terminal import Paragraphs, plain

with needs("train", "ccnn_geo.cli.option_help"):
    from jsonargparse import DefaultHelpFormatter

TRAINER = (
    *("accelerator", "devices", "num_nodes", "strategy", "sync_batchnorm", "precision", "deterministic"),
    *("max_epochs", "max_steps", "max_time", "limit_train_batches", "limit_val_batches", "fast_dev_run"),
    *("accumulate_grad_batches", "gradient_clip_val", "enable_progress_bar", "profiler"),
)
"""The arguments of Lightning's trainer that ``--help`` shows; ``--help-all`` shows every one."""

_OPTIONAL = re.compile(r"\(type: Optional\[(.+)\], (?=default)")
"""How some releases of Python write ``type | null``, and all of them some types."""

_CLASSES = ("--trainer.accelerator.help", "--trainer.strategy.help", "--trainer.profiler.help")


class AllOptions(Paragraphs, DefaultHelpFormatter):
    """Help without markup; an option by its first name, and Lightning's without the types of Python."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        """A line, in the place of a hundred options by name."""
        positional = [action.dest.upper() for action in actions if not action.option_strings]
        super().add_usage(
            " ".join([self._prog, *(positional or ["--config NAME_OR_FILE"]), "[overrides]"]), (), (), prefix
        )

    def start_section(self, heading: str | None) -> None:
        """A group; the trainer's heading says whose options they are."""
        if heading is not None and heading.startswith("Customize every aspect"):
            heading = self._trainer_heading()
        super().start_section(heading and textwrap.fill(plain(heading), self._width))

    def add_argument(self, action: argparse.Action) -> None:
        """An option, unless all that it does is to point at files or classes for a whole group."""
        name = action.option_strings[0] if action.option_strings else ""
        if name not in ("--model", "--optim", "--data", "--trainer") and not name.startswith(_CLASSES):
            super().add_argument(action)

    def _trainer_heading(self) -> str:
        return "Arguments of Lightning's Trainer"

    def _expand_help(self, action: argparse.Action) -> str:
        text = _OPTIONAL.sub(r"(type: \1 | null, ", plain(super()._expand_help(action)))
        return text.split(" (type:")[0] if action.dest.startswith("trainer.") else text

    def _format_action_invocation(self, action: argparse.Action) -> str:
        names = action.option_strings
        if len(names) > 1 and names[1] == f"{names[0]}+":
            metavar = self._get_default_metavar_for_optional(action)
            return (
                f"{names[0]} {self._format_args(action, metavar)}"  # as before Python 3.13, by the first name
            )
        return super()._format_action_invocation(action)


class CommonOptions(AllOptions):
    """The same with the :data:`TRAINER` arguments that most runs need."""

    def add_argument(self, action: argparse.Action) -> None:
        """An option, if it is one of these."""
        group, _, name = action.dest.partition(".")
        if group != "trainer" or name in TRAINER:
            super().add_argument(action)

    def _trainer_heading(self) -> str:
        return "Arguments of Lightning's Trainer, the usual ones; --help-all shows every one"
