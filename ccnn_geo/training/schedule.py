"""The learning rate as a function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass


def warmup_cosine(step: int, warmup_steps: int, total_steps: int) -> float:
    r"""Factor on the learning rate: linear warm-up, then half a cosine down to zero.

    .. math::
        f(s) = \begin{cases} (s + 1) / W & s < W \\
        \frac12 \big(1 + \cos(\pi (s - W) / (S - W))\big) & W \le s \le S \end{cases}

    The first step already moves the weights, step :math:`W` has the full rate, and the factor is 0 from :math:`S` on.

    Args:
        step: Optimiser steps done so far, :math:`s`.
        warmup_steps: :math:`W`, 0 for none.
        total_steps: :math:`S`.

    Raises:
        ValueError: Unless ``0 <= warmup_steps <= total_steps``, ``total_steps >= 1`` and ``step >= 0``.

    Source: appendix C.2.
    """
    if not 0 <= warmup_steps <= total_steps or total_steps < 1 or step < 0:
        raise ValueError(
            "warmup_cosine: expected step >= 0 and 0 <= warmup_steps <= total_steps >= 1, "
            f"got step={step}, warmup_steps={warmup_steps}, total_steps={total_steps}"
        )
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if step >= total_steps:
        return 0.0
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup_steps) / (total_steps - warmup_steps)))


@dataclass(frozen=True)
class Schedule:
    """:func:`warmup_cosine` of a training, as a function of the step.

    Args:
        warmup: Steps of warm-up.
        total: Total number of steps.
        per_epoch: Steps per epoch.
        asked: Requested epochs of warm-up.

    Example:
        >>> plan = Schedule.planned(total=300, per_epoch=10, warmup_epochs=2, largest_share=0.1)
        >>> plan(0), plan(19), plan(300)
        (0.05, 1.0, 0.0)
        >>> print(plan)
        warm-up: 20 of 300 steps (2 of 30 epochs)
    """

    warmup: int
    total: int
    per_epoch: int
    asked: float

    @classmethod
    def planned(cls, total: int, per_epoch: int, warmup_epochs: float, largest_share: float) -> Schedule:
        r"""The requested warm-up, or the largest allowed share of the training, whichever is shorter.

        .. math::
            W = \min\big(\mathrm{round}(E_W\, P),\ \lfloor a\, S \rfloor\big)

        Args:
            total: Total number of steps :math:`S`.
            per_epoch: Steps per epoch :math:`P`.
            warmup_epochs: Requested epochs :math:`E_W`.
            largest_share: :math:`a`.
        """
        largest = math.floor(largest_share * total + 1e-9)  # 0.1 * 30 may fall below 3 by rounding
        return cls(min(round(warmup_epochs * per_epoch), largest), total, per_epoch, warmup_epochs)

    def __call__(self, step: int) -> float:
        return warmup_cosine(step, self.warmup, self.total)

    def __str__(self) -> str:
        steps = f"{self.total} step{'s' * (self.total != 1)}"
        run = self.total / self.per_epoch
        epochs = f"{run:.3g} epoch{'s' * (run != 1)}"
        text = f"warm-up: {self.warmup} of {steps} ({self.warmup / self.per_epoch:.3g} of {epochs})"
        if self.warmup == 0:
            text = f"no warm-up in {steps} ({epochs})"
        if self.warmup < round(self.asked * self.per_epoch):
            text += f"; limited by optim.warmup_share, optim.warmup_epochs is {self.asked:.3g}"
        return text
