"""Whether code runs, or is written down: the one place that asks the compiler.

Most of the package need not know, for its compiled functions are operators of torch. The few that call
:func:`is_traced` look at numbers, or keep something for later.
"""

import torch


def is_traced() -> bool:
    """Whether ``torch.compile`` or ``torch.export`` makes a graph: tensors have no numbers yet."""
    return torch.compiler.is_compiling()


def refuse_export(missing: str) -> None:
    """Says what a program could not be made without; elsewhere the numbers are read.

    Raises:
        RuntimeError: In ``torch.export``.
    """
    if torch.compiler.is_exporting():
        raise RuntimeError(f"torch.export: {missing}; run it once before")
