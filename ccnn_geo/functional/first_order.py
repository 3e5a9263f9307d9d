"""What sums say of second derivatives, where their backward passes have none."""

from __future__ import annotations

import torch


def refuse_second_order(name: str) -> None:
    """Ends a backward pass whose own gradient is asked for: it would be wrong without a word.

    Args:
        name: Of the function.

    Raises:
        RuntimeError: If the pass runs with ``create_graph=True``.
    """
    if torch.is_grad_enabled():
        raise RuntimeError(f"{name} has first derivatives only: for create_graph=True use method='plain'")
