"""A kernel at many offsets, by the fastest code there is."""

from __future__ import annotations

from torch import Tensor

from ccnn_geo.functional.edge.compiled import native_kernel
from ccnn_geo.kernels.continuous import ContinuousKernel


def kernel_values(kernel: ContinuousKernel, rel: Tensor, support: Tensor | None = None) -> Tensor:
    """The values ``kernel(rel)``, by compiled code if it is available; nothing of an offset is kept.

    Args:
        kernel: The continuous kernel.
        rel: Offsets.
        support: Half the side of the box outside which values are zero; the kernel's own by default.

    Shapes:
        - **rel:** :math:`(*, D)`; **support:** :math:`(D)`; **output:** :math:`(*, C)`
    """
    found = native_kernel(kernel, rel.flatten(0, -2), support)
    if found is not None:
        return found.unflatten(0, rel.shape[:-1])
    if support is None:
        return kernel(rel)
    values = kernel.basis_inside(rel) * kernel.inside(rel, support).unsqueeze(-1)
    return values @ kernel.output_weight().mT
