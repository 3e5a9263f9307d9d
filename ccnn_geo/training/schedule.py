"""The learning rate as a function of the step."""

from __future__ import annotations

import math


def warmup_cosine(step: int, warmup_steps: int, total_steps: int) -> float:
    r"""Factor on the learning rate: linear warm-up, then half a cosine down to zero.

    .. math::
        f(s) = \begin{cases} (s + 1) / W & s < W \\
        \frac12 \big(1 + \cos(\pi (s - W) / (S - W))\big) & W \le s \le S \end{cases}

    The first step already moves the weights, step :math:`W` has the full rate, and the factor is zero from
    :math:`S` on.

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
