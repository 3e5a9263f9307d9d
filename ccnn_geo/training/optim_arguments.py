"""Checks the arguments of the optimizer and of the loss."""

from __future__ import annotations

from math import inf

from ccnn_geo.training.optim import DECAYS

BALANCED = "balanced"
"""Weights that make rare classes count as much as common ones."""


def check_optim(
    lr: float,
    weight_decay: float,
    decay: str,
    warmup_epochs: float,
    warmup_share: float,
    label_smoothing: float,
    kernel_l2: float,
    nyquist: float,
    ema: float,
    class_weights: str | list[float] | None = None,
    trunk_lr: float = 1.0,
    logit_adjustment: float = 0.0,
) -> None:
    """Refuses arguments of :class:`~ccnn_geo.training.module.Learner` that are out of range.

    Raises:
        ValueError: If one is; names the argument, what was expected, and what was given.
    """
    if not lr > 0 or weight_decay < 0 or warmup_epochs < 0 or kernel_l2 < 0:
        raise ValueError(
            "optim: expected lr > 0 and weight_decay, warmup_epochs, kernel_l2 >= 0, "
            f"got {lr}, {weight_decay}, {warmup_epochs}, {kernel_l2}"
        )
    if not nyquist >= 0:
        raise ValueError(f"optim.nyquist: expected 0 or more, got {nyquist}")
    if not 0 <= warmup_share <= 1:
        raise ValueError(f"optim.warmup_share: expected [0, 1], got {warmup_share}")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"optim.label_smoothing: expected [0, 1), got {label_smoothing}")
    if decay not in DECAYS:
        raise ValueError(f"optim.decay: expected one of {', '.join(DECAYS)}, got {decay!r}")
    if not trunk_lr >= 0:
        raise ValueError(f"optim.trunk_lr: expected 0 or more, got {trunk_lr}")
    if not 0 <= logit_adjustment < inf:
        raise ValueError(f"optim.logit_adjustment: expected 0 or more, got {logit_adjustment}")
    if not 0 <= ema < 1:
        raise ValueError(f"optim.ema: expected [0, 1), got {ema}")
    if isinstance(class_weights, list):
        if min(class_weights, default=0.0) < 0 or not 0 < sum(class_weights) < inf:
            raise ValueError(
                f"optim.class_weights: expected numbers of 0 or more, not all 0, got {class_weights}"
            )
    elif class_weights not in (None, BALANCED):
        raise ValueError(
            f"optim.class_weights: expected {BALANCED}, a list of numbers, or null, got {class_weights!r}"
        )
