"""Checks whether a run can resume with given settings, and lists what they change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from ccnn_geo.export.trained import checkpoint_parts
from ccnn_geo.io.models.checkpoint import load_checkpoint
from ccnn_geo.nn.build import model_defaults
from ccnn_geo.training.data.families import data_module
from ccnn_geo.training.data.shapes import ShapesDataModule
from ccnn_geo.training.flags import seconds_of
from ccnn_geo.training.lightning import Trainer, yaml
from ccnn_geo.training.tasks.choose import known_task
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline

FIXED = ("seed", "optim.decay", "optim.binary", "task", "data.seed", "data.validation_fraction")
"""Settings that cannot change besides the network: they decide earlier draws and the choice of validation samples."""


@dataclass(frozen=True)
class Continuation:
    """The state of a resumed run.

    Args:
        epochs: Number of complete epochs.
        ends: Options that leave no further step; empty if a step is left.
        changes: Changed settings: name, old and new value.
    """

    epochs: int
    ends: tuple[str, ...]
    changes: tuple[tuple[str, Any, Any], ...]

    def lines(self) -> list[str]:
        """Lines about it for the user."""
        when = "now, but no step is left" if self.ends else "from now on"
        said = [f"  {key}: {old!r} before, {new!r} {when}" for key, old, new in self.changes]
        if self.ends:
            larger = " and ".join(self.ends)
            said.append(
                f"  this run is over, after {self.epochs} epochs: only its validation is repeated; a larger {larger} "
                "continues it"
            )
        return said


def check_resume(config: Mapping[str, Any], checkpoint: Path, run: Path) -> Continuation:
    """Compares a configuration with the checkpoint to resume from.

    Args:
        config: ``seed``, ``model``, ``optim``, ``data`` and ``trainer``, plain values.
        checkpoint: The file.
        run: Its folder, with the configuration of the last start, if there is one.

    Raises:
        ValueError: If a setting has changed that must not, such as the network or its input, or if the checkpoint was
            stored within an epoch.
    """
    whole = load_checkpoint(checkpoint)
    stored, _ = checkpoint_parts(checkpoint, whole)
    epochs = whole.get("loops", {}).get("fit_loop", {}).get("epoch_progress", {}).get("current", {})
    if epochs.get("processed") != epochs.get("ready"):
        raise ValueError(
            f"--resume {checkpoint}: stored within an epoch, so the samples already used are unknown; "
            f"expected a checkpoint from the end of an epoch, such as {checkpoint.with_name('last.ckpt')}"
        )
    if config["trainer"].get("fast_dev_run"):
        raise ValueError("trainer.fast_dev_run: expected a new run, because it keeps nothing, got --resume")
    changes = [*_changes(config, stored), *_flags(config["trainer"], run / "config.yaml")]
    fixed = [*_network(config, stored), *(row for row in changes if _is_fixed(row))]
    if fixed:
        said = "; ".join(f"{key} was {old!r}, got {new!r}" for key, old, new in fixed)
        raise ValueError(f"--resume {checkpoint}: {said}; expected the same, or a new run")
    ends = (*_ends(config["trainer"], whole), *_stopped(config.get("early_stopping"), whole))
    return Continuation(int(whole.get("epoch", 0)) + 1, ends, tuple(changes))


def _network(config: Mapping[str, Any], stored: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Differences in the network and its input."""
    before, now = ({**model_defaults(), **model} for model in (stored["network"], config["model"]))
    rows = [(f"model.{key}", before[key], now[key]) for key in now if before.get(key) != now[key]]
    if data_module(config["data"]["dataset"]) is ShapesDataModule:
        features = [
            list(ShapePipeline.from_settings(data).features) for data in (stored["data"], config["data"])
        ]
        if features[0] != features[1]:
            rows.append(("data.features", features[0], features[1]))
    return rows


def _changes(config: Mapping[str, Any], stored: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Differences in settings of the optimizer and the data that the checkpoint knows."""
    pairs = [("seed", stored.get("seed"), config["seed"])] if "seed" in stored else []
    if config.get("task") is not None:
        pairs.append(("task", known_task(stored), config["task"]))
    pairs += [(f"optim.{key}", stored[key], now) for key, now in config["optim"].items() if key in stored]
    before = stored["data"]
    pairs += [(f"data.{key}", before[key], now) for key, now in config["data"].items() if key in before]
    of_first_batch = ("optim.nyquist_spacing", "data.features")
    return [(key, old, new) for key, old, new in pairs if old != new and key not in of_first_batch]


def _flags(now: Mapping[str, Any], saved: Path) -> list[tuple[str, Any, Any]]:
    """Flags of the Trainer that differ from those of the last start."""
    if not saved.is_file():
        return []
    before = (yaml.safe_load(saved.read_text()) or {}).get("trainer") or {}
    defaults = {key: argument.default for key, argument in signature(Trainer.__init__).parameters.items()}
    pairs = [(key, before.get(key, defaults.get(key)), new) for key, new in now.items()]
    return [(f"trainer.{key}", old, new) for key, old, new in pairs if old != new]


def _is_fixed(row: tuple[str, Any, Any]) -> bool:
    key, old, new = row
    return key in FIXED or (key == "optim.ema" and bool(old) != bool(new))


def _ends(trainer: Mapping[str, Any], whole: Mapping[str, Any]) -> tuple[str, ...]:
    """Flags that end the run: its epochs, steps or time are used up."""
    spent = whole.get("callbacks", {}).get("Timer", {}).get("time_elapsed", {}).get("train", 0.0)
    done = {
        "max_epochs": int(whole.get("epoch", 0)) + 1,
        "max_steps": int(whole.get("global_step", 0)),
        "max_time": spent,
    }
    asked = {key: trainer.get(key) for key in done}
    if asked["max_time"] is not None:
        asked["max_time"] = seconds_of(asked["max_time"])
    return tuple(
        f"trainer.{key}" for key, most in asked.items() if most is not None and 0 < most <= done[key]
    )


def _stopped(patience: int | None, whole: Mapping[str, Any]) -> tuple[str, ...]:
    """The option that ended the run after too many validations without improvement."""
    stale = [
        state.get("stale", 0) for state in whole.get("callbacks", {}).values() if isinstance(state, dict)
    ]
    return ("early_stopping",) if patience is not None and max(stale, default=0) >= patience else ()
