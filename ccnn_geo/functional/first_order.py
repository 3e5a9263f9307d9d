"""An error for second derivatives, for sums with first derivatives only."""

from __future__ import annotations

import torch


def refuse_second_order(name: str) -> None:
    """Stops a backward pass that is to be differentiated itself: the result would be silently wrong.

    Args:
        name: Name of the function.

    Raises:
        RuntimeError: If the pass runs with ``create_graph=True``.
    """
    if torch.is_grad_enabled():
        raise RuntimeError(f"{name} has first derivatives only: for create_graph=True use method='plain'")
