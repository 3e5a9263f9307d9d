"""Formats ``ccnn-geo train --help`` and ``test --help``: in plain words, with few of Lightning's options."""

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
"""Another spelling of ``type | null`` in Python's type hints."""

_CLASSES = ("--trainer.accelerator.help", "--trainer.strategy.help", "--trainer.profiler.help")


class AllOptions(Paragraphs, DefaultHelpFormatter):
    """Help without markup; options by their first name, Lightning's without Python types."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        """Writes one line in place of a hundred options."""
        positional = [action.dest.upper() for action in actions if not action.option_strings]
        super().add_usage(
            " ".join([self._prog, *(positional or ["--config NAME_OR_FILE"]), "[overrides]"]), (), (), prefix
        )

    def start_section(self, heading: str | None) -> None:
        """Starts a group; the trainer's heading says that the options are Lightning's."""
        if heading is not None and heading.startswith("Customize every aspect"):
            heading = self._trainer_heading()
        super().start_section(heading and textwrap.fill(plain(heading), self._width))

    def add_argument(self, action: argparse.Action) -> None:
        """Adds an option, except those that only name files or classes for a whole group."""
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
                f"{names[0]} {self._format_args(action, metavar)}"  # by the first name, as before Python 3.13
            )
        return super()._format_action_invocation(action)


class CommonOptions(AllOptions):
    """The same help with only the :data:`TRAINER` arguments, which most runs need."""

    def add_argument(self, action: argparse.Action) -> None:
        """Adds an option if it is one of these."""
        group, _, name = action.dest.partition(".")
        if group != "trainer" or name in TRAINER:
            super().add_argument(action)

    def _trainer_heading(self) -> str:
        return "Arguments of Lightning's Trainer, the usual ones; --help-all shows every one"
