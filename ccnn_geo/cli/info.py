"""Installed versions, and the parameters of a model."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ccnn_geo._base.extras import EXTRAS, PACKAGES, needs
from ccnn_geo._base.native.build import native_summary
from ccnn_geo.export.trained import read_network
from ccnn_geo.nn.build import build_network, num_outputs
from ccnn_geo.nn.ccnn import CCNN, PRESETS
from ccnn_geo.training.runs import find_config

CORE = ("ccnn_geo", "torch", "torch-geometric", "numpy", "scipy", "safetensors")
"""Packages that are always there."""


def environment() -> list[tuple[str, str]]:
    """Versions, devices and extras, as rows of name and value."""
    rows = [("python", platform.python_version())]
    rows += [(name, _version(name) or "missing") for name in CORE]
    rows.append(("cpu", f"{torch.get_num_threads()} threads"))
    rows.append(("compiled loops", native_summary()))
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    rows.append(("cuda", ", ".join(devices) or "none"))
    rows.append(("mps", "yes" if torch.backends.mps.is_available() else "none"))
    for module, name in PACKAGES.items():
        extra = next(extra for extra, modules in EXTRAS.items() if module in modules)
        rows.append((name, _version(name) or f"missing: pip install 'ccnn_geo[{extra}]'"))
    return rows


def parameters(
    what: str, in_channels: int | None = None, out_channels: int | None = None
) -> list[tuple[str, str]]:
    """Parameter counts of the parts of a model, as rows of name and value.

    Args:
        what: A checkpoint, a key of :data:`~ccnn_geo.nn.ccnn.PRESETS`, or a configuration.
        in_channels: For presets (6 by default) and configurations (those of the data set by default).
        out_channels: For presets (40 by default) and configurations (as many as the data set needs by default).

    Raises:
        ImportError: For a configuration, if the extra ``train`` is not installed.
        ValueError: If it is none of these.
    """
    network = _network(what, in_channels, out_channels)
    rows = []
    for name, part in network.named_children():
        pieces = (
            [(f"{name}.{i}", piece) for i, piece in part.named_children()]
            if name == "blocks"
            else [(name, part)]
        )
        rows += [(label, _count(piece)) for label, piece in pieces]
    total = sum(count for _, count in rows)
    head = (f"{network.in_channels} channels, {network.out_channels} outputs", "parameters")
    return [head, *((name, f"{count:,}") for name, count in rows), ("total", f"{total:,}")]


def configured_network(
    settings: Mapping[str, Any], in_channels: int | None = None, out_channels: int | None = None
) -> CCNN:
    """The network of a configuration; channels default to those of its data set."""
    from ccnn_geo.training.data.families import make_data  # imports Lightning

    data = make_data(settings.get("data", {}))
    if in_channels is None:
        in_channels = data.in_channels or 1
    if out_channels is None:
        binary = settings.get("optim", {}).get("binary", False)
        unknown = 1 if data.task == "regression" else 2 if binary else 40
        out_channels = num_outputs(data.num_classes or unknown, binary)
    return build_network(in_channels, out_channels, data.dim, data.readout, **settings["model"])


def _network(what: str, in_channels: int | None, out_channels: int | None) -> CCNN:
    if what in PRESETS:
        return CCNN.from_preset(what, dim=3, in_channels=in_channels or 6, out_channels=out_channels or 40)
    if Path(what).suffix == ".ckpt" or Path(what).is_dir():
        return read_network(what)[1]
    try:
        path = find_config(what)
    except FileNotFoundError as error:
        raise ValueError(
            f"info: expected a checkpoint (.ckpt), a preset ({', '.join(PRESETS)}) or a configuration, got {what!r}"
        ) from error
    with needs("train", f"info {what}"):
        from ccnn_geo.training.lightning import yaml

    settings = yaml.safe_load(path.read_text())
    if not isinstance(settings, dict) or not isinstance(settings.get("model"), dict):
        raise ValueError(f"{path}: expected a configuration with a section 'model'")
    return configured_network(settings, in_channels, out_channels)


def _count(part: torch.nn.Module) -> int:
    return sum(p.numel() for p in part.parameters())


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
