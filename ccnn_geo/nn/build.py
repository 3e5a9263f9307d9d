"""Builds a network from a preset's name or plain sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from inspect import signature
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from ccnn_geo._base.nearest import did_you_mean
from ccnn_geo.kernels.config import PAPER, KernelConfig
from ccnn_geo.nn.ccnn import CCNN, PRESETS
from ccnn_geo.nn.config import conv_defaults

KERNEL_SETTINGS = (
    *("kernel_hidden", "kernel_layers", "omega_0", "kernel", "causal"),
    *("window", "window_init", "window_threshold"),
)
"""Kernel settings that ``conv`` must not contain; it may contain the others, as older files do."""


def build_network(
    in_channels: int,
    out_channels: int,
    dim: int = 3,
    readout: str = "global",
    preset: str | None = None,
    hidden_channels: int | None = None,
    num_blocks: int | None = None,
    kernel_hidden: int | None = None,
    num_neighbors: int | None = 256,
    block: str = "ccnn",
    dropout: float = 0.0,
    measure: str = "uniform",
    pool: str = "mean",
    drop_path: float = 0.0,
    init_spacing: float | str | None = None,
    conv: dict[str, Any] | None = None,
    composition: bool = False,
    members: int | None = None,
    set_channels: int | None = None,
    **kernel: Any,
) -> CCNN:
    """Builds the :class:`~ccnn_geo.nn.ccnn.CCNN` of a configuration.

    Args:
        in_channels: Input channels.
        out_channels: Number of classes.
        dim: Dimension of the positions.
        readout: ``global`` for a prediction per sample, ``node`` for one per point.
        preset: A key of :data:`ccnn_geo.nn.ccnn.PRESETS`. It sets the three sizes below unless they are given; with
            ``_paper`` also the paper's frequencies and window, with ``_sets`` also members and set_channels.
        hidden_channels: Width of the network.
        num_blocks: Number of residual blocks.
        kernel_hidden: Hidden width of the kernel networks.
        num_neighbors: Neighbours per point; null for all points of a cloud.
        block: ``ccnn``, ``s4``, ``flex`` or ``gated``.
        dropout: Dropout in the blocks.
        measure: Weight of a point: ``uniform``, ``density``, or ``quadrature``, which needs all neighbours.
        pool: Pooling over points: ``mean``, ``mean_max``, or ``sum`` for quantities that grow with the sample, as
            energies do.
        drop_path: Probability of skipping the last block's branch for a sample; lower for earlier blocks.
        init_spacing: Distance between points; no kernel starts above their Nyquist rate. ``auto`` measures it on the
            first batch.
        conv: Further arguments of :class:`~ccnn_geo.nn.conv.layers.SepFlexConv`.
        composition: For regression: start from a linear fit of the targets to the summed features of the points, such
            as the atoms of a molecule; the network learns the rest.
        members: Number of networks side by side, each with the sizes above. They learn independently, and their
            predictions are averaged; by default as in the preset, or 1.
        set_channels: Width of a branch beside the convolutions that sees each point separately and pools maxima; by
            default as in the preset, or 0 for none.
        **kernel: The other settings of :class:`~ccnn_geo.kernels.config.KernelConfig`.

    Raises:
        ValueError: For an unknown preset or name, an argument out of range, or a missing size.
    """
    if preset is not None and preset not in PRESETS:
        meant = did_you_mean(preset, PRESETS)
        raise ValueError(f"model.preset: expected one of {', '.join(PRESETS)}, got {preset!r}{meant}")
    needed = {"hidden_channels": hidden_channels, "num_blocks": num_blocks, "kernel_hidden": kernel_hidden}
    given = {**needed, "members": members, "set_channels": set_channels}
    named = {} if preset is None else dict(PRESETS[preset])
    paper = {key: named.pop(key) for key in PAPER if key in named}
    kernel |= {key: value for key, value in paper.items() if kernel.get(key) is None}
    sizes = {**named, **{key: size for key, size in given.items() if size is not None}}
    missing = [key for key in needed if key not in sizes]
    if missing:
        raise ValueError(
            f"model: expected a preset ({', '.join(PRESETS)}; from --model.preset, or a --config that names one) or "
            f"all sizes, missing {', '.join(missing)}"
        )
    if num_neighbors is not None and num_neighbors < 1:
        raise ValueError(f"model.num_neighbors: expected 1 or more, or null for all, got {num_neighbors}")
    if sizes["hidden_channels"] < 1:
        raise ValueError(f"model.hidden_channels: expected 1 or more, got {sizes['hidden_channels']}")
    twice = [key for key in conv or {} if key in KERNEL_SETTINGS]
    if twice:
        raise ValueError(f"model.conv: expected none of the settings of model itself, got {', '.join(twice)}")
    config = KernelConfig(kernel_hidden=sizes.pop("kernel_hidden"), **kernel)
    try:
        return CCNN(
            in_channels,
            out_channels,
            dim,
            **sizes,
            config=config,
            num_neighbors=num_neighbors,
            block=block,
            dropout=dropout,
            readout=readout,
            measure=measure,
            pool=pool,
            composition=composition,
            drop_path=drop_path,
            init_spacing=init_spacing,
            **(conv or {}),
        )
    except TypeError as error:
        own, known = signature(build_network).parameters, conv_defaults()
        wrong = [key for key in conv or {} if key in own or key not in known]
        if not wrong:
            raise ValueError(f"model: {error}") from error
        raise ValueError(
            f"model.conv: expected arguments of SepFlexConv that model does not have, got {', '.join(wrong)}"
        ) from error


def model_defaults() -> dict[str, Any]:
    """Optional settings of :func:`build_network`, including those of its kernels."""
    own = {
        name: p.default for name, p in signature(build_network).parameters.items() if p.default is not p.empty
    }
    return {**asdict(KernelConfig()), **own}


def num_outputs(num_classes: int, binary: bool) -> int:
    """Number of outputs for a number of classes: one per class, or a single one for two classes.

    Raises:
        ValueError: If ``binary`` is set and there are not two classes.
    """
    if binary and num_classes != 2:
        raise ValueError(f"optim.binary: expected two classes, got {num_classes}")
    return 1 if binary else num_classes


def outputs_of(hyperparameters: Mapping[str, Any]) -> int:
    """Number of outputs from a checkpoint's hyperparameters: one per target, or as its classes need."""
    targets = hyperparameters.get("targets")
    if targets:
        return len(targets["names"])
    return num_outputs(len(hyperparameters["classes"]), hyperparameters.get("binary", False))


def class_logits(outputs: Tensor) -> Tensor:
    """Logits ``[*, K]`` of outputs ``[*, K]``; a single output ``z [*, 1]`` gives ``(0, z) [*, 2]``.

    The softmax of ``(0, z)`` is the sigmoid of ``z``, and its cross-entropy the binary one.
    """
    return F.pad(outputs, (1, 0)) if outputs.size(-1) == 1 else outputs
