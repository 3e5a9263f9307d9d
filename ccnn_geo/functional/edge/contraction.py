"""The sum over neighbours of one chunk, given the basis on its edges, and its derivatives written out."""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo.kernels.math.linear import cross, linear
from ccnn_geo.kernels.math.scratch import Scratch


class Depthwise:
    r""":math:`y_{tc} = \sum_h W_{ch} \sum_k B_{tkh} x_{tkc}`, one kernel value per channel.

    The kernel is rendered per edge: the inner sum first would be as many operations, in products of a few rows.

    Shapes:
        - **x:** :math:`(T, K, C)`; **basis:** :math:`(T, K, H)`; **output:** :math:`(C, H)`
        - **result:** :math:`(T, C)`
    """

    @staticmethod
    def forward(x: Tensor, basis: Tensor, output: Tensor, scratch: Scratch) -> Tensor:
        """The sums over neighbours; ``x`` is overwritten."""
        return x.mul_(_kernel(basis, output, scratch, x)).sum(dim=1)

    @staticmethod
    def backward(
        grad: Tensor, x: Tensor, basis: Tensor, output: Tensor, need_x: bool, scratch: Scratch
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """Gradients of ``x`` (overwritten), ``basis`` and ``output``: products of all edges with one matrix."""
        grad, flat, edges = grad.unsqueeze(1), basis.flatten(0, 1), x.shape[:2].numel()
        weighted = x.mul_(grad).flatten(0, 1)
        grad_x = None
        if need_x:
            grad_x = _kernel(basis, output, scratch, x).mul_(grad)
        grad_basis = linear(weighted, output.mT, out=scratch("grad_basis", edges, basis.size(2)))
        return grad_x, grad_basis.view_as(basis), cross(flat.mT, weighted).mT


def _kernel(basis: Tensor, output: Tensor, scratch: Scratch, x: Tensor) -> Tensor:
    out = scratch("kernel", x.shape[:2].numel(), x.size(2))
    return linear(basis.flatten(0, 1), output, out=out).view_as(x)


class Dense:
    r""":math:`y_{to} = \sum_{ch} W_{och} \sum_k B_{tkh} x_{tkc}`, a matrix of kernel values.

    Shapes:
        - **output:** :math:`(C_{out} C, H)`, **result:** :math:`(T, C_{out})`; others as in :class:`Depthwise`
    """

    @staticmethod
    def forward(x: Tensor, basis: Tensor, output: Tensor, scratch: Scratch) -> Tensor:
        moments = torch.bmm(x.mT, basis).flatten(1)
        return moments @ output.reshape(-1, moments.size(1)).mT

    @staticmethod
    def backward(
        grad: Tensor, x: Tensor, basis: Tensor, output: Tensor, need_x: bool, scratch: Scratch
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """Gradients of ``x``, ``basis`` and ``output``."""
        moments = torch.bmm(x.mT, basis)
        matrix = output.reshape(-1, moments[0].numel())
        grad_moments = (grad @ matrix).view_as(moments)
        grad_x = torch.bmm(basis, grad_moments.mT) if need_x else None
        return grad_x, torch.bmm(x, grad_moments), (grad.mT @ moments.flatten(1)).view_as(output)
