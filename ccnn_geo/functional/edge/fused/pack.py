"""Parameters of a MAGNet kernel in the form that the Triton programs read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ccnn_geo.kernels.math.gabor import LN2, complete_squares

POWERS = 8
"""Rows of the programs' powers of offsets: squares, offsets and 1 of at most three axes."""


class Packed(NamedTuple):
    """A kernel in float32, its width padded with zeros to ``H``, a power of two of at least 16.

    Shapes:
        - **turns_src:** :math:`(N, L + 1, H)`; **turns_dst:** :math:`(M, L + 1, H)`, phases of points in turns
        - **filters:** :math:`(L + 1, 2D + 1, H)`: scales, shifts, and the rest of the completed squares
        - **hidden:** :math:`(L, H, H)`, input first; **bias:** :math:`(L, H)`
        - **window:** :math:`(D)`, such that its exponent of base 2 is the sum of squares of ``window * r``
        - **waves:** :math:`(L + 1, D, H)`, in rad per unit
        - **output:** :math:`(C, H)`; **output_bias:** :math:`(C)`
    """

    turns_src: Tensor
    turns_dst: Tensor
    filters: Tensor
    hidden: Tensor
    bias: Tensor
    window: Tensor
    waves: Tensor
    output: Tensor
    output_bias: Tensor

    @property
    def layers(self) -> int:
        """Hidden layers :math:`L`."""
        return self.filters.size(0) - 1

    @property
    def padded(self) -> int:
        """Width :math:`H`."""
        return self.filters.size(2)


def pack(pos_src: Tensor, pos_dst: Tensor, kernel: Sequence[Tensor]) -> Packed:
    """Packs a kernel for its points.

    Args:
        pos_src: Positions of the sources ``[N, D]``.
        pos_dst: Positions of the targets ``[M, D]``.
        kernel: The output layer, and the tensors of a :class:`~ccnn_geo.functional.edge.basis.MAGNetBasis`.
    """
    output, quadratic, window, linear, *affine = kernel
    dim, layers = pos_src.size(1), len(affine) // 2
    width = linear.size(1) // (layers + 1)
    padding = max(16, 1 << (width - 1).bit_length()) - width

    def padded(t: Tensor) -> Tensor:
        return torch.nn.functional.pad(t.float(), (0, padding)).contiguous()

    def by_layer(t: Tensor) -> Tensor:
        """``[R, F]`` as ``[L + 1, R, H]``."""
        return padded(t.unflatten(1, (layers + 1, width)).transpose(0, 1))

    def turns(pos: Tensor, phase: Tensor | None = None) -> Tensor:
        found = pos.double() @ (linear[:dim].double() / math.tau)
        if phase is not None:
            found += phase.double() / math.tau
        return padded((found - found.round()).unflatten(1, (layers + 1, width)))

    scale, shift, rest = complete_squares(quadratic)
    if layers > 0:
        weights = padded(torch.stack([w.mT for w in affine[0::2]]))
        hidden = torch.nn.functional.pad(weights, (0, 0, 0, padding)).contiguous()
        bias = padded(torch.stack(list(affine[1::2])))
    else:
        hidden = bias = output
    return Packed(
        turns(pos_src),
        turns(pos_dst, linear[dim]),
        by_layer(torch.cat([scale, shift, rest.unsqueeze(0)])),
        hidden,
        bias,
        window[:dim, 0].neg().sqrt().float(),
        by_layer(linear[:dim]),
        padded(output[:, :width]),
        output[:, width].contiguous(),
    )


def sizes_of_parts(given: Packed) -> list[int]:
    """Numbers of the filters' gradients: hidden weights and biases, moments of exponents, phases and the window."""
    layers, padded = given.layers, given.padded
    moments = (layers + 1) * POWERS * padded
    return [layers * padded * padded, layers * padded, moments, moments, POWERS]


def unpack_filters(total: Tensor, kernel: Sequence[Tensor], given: Packed) -> list[Tensor]:
    """Gradients of a kernel's tensors but for the output layer, from the sum of all rows of their parts."""
    linear = kernel[3]
    dim, layers, padded = given.window.size(0), given.layers, given.padded
    width = linear.size(1) // (layers + 1)
    weights, biases, exponents, phases, window = total.split(sizes_of_parts(given))

    def rows(t: Tensor, first: int) -> Tensor:
        """Moments ``[L + 1, POWERS, H]`` as ``[R, F]``."""
        return t.view(layers + 1, POWERS, padded)[:, first : 2 * dim + 1, :width].transpose(0, 1).flatten(1)

    found = [LN2 * rows(exponents, 0), LN2 * window[: 2 * dim + 1, None], rows(phases, dim)]
    for weight, bias in zip(weights.view(layers, padded, padded), biases.view(layers, padded), strict=True):
        found += [weight[:width, :width].mT, bias[:width]]
    return found


def unpack_output(total: Tensor, kernel: Sequence[Tensor], given: Packed) -> Tensor:
    """Gradient ``[C, width + 1]`` of the output layer, from ``[H + 1, C]``."""
    output, padded = kernel[0], given.padded
    rows = total.view(padded + 1, output.size(0))
    return torch.cat([rows[: output.size(1) - 1], rows[padded:]]).mT
