"""Whether code runs or is traced: the only place that asks the compiler.

Most of the package does not need to know, because its compiled functions are torch operators. The few callers of
:func:`is_traced` read values, or cache something.
"""

import torch


def is_traced() -> bool:
    """Whether ``torch.compile`` or ``torch.export`` is tracing: tensors have no values yet."""
    return torch.compiler.is_compiling()


def refuse_export(missing: str) -> None:
    """Stops ``torch.export``, naming what is missing; does nothing elsewhere, where values can be read.

    Raises:
        RuntimeError: In ``torch.export``.
    """
    if torch.compiler.is_exporting():
        raise RuntimeError(f"torch.export: {missing}; run it once before")
