"""Normalisation of pooled features, one row per sample."""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo.nn.norm.batch import BatchNorm


class PoolNorm(BatchNorm):
    r"""Batch normalisation of pooled features, for a readout that concatenates means and maxima.

    .. math::
        y_c = \gamma_c \frac{x_c - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}} + \beta_c

    Maxima of normalised features are about three standard deviations high and differ little between samples. Without a
    norm, all logits would share that common offset. A single sample has no statistics of its own, so it is normalised
    by the running ones, even in training.

    Shapes:
        - **input:** :math:`(B, C)`
        - **output:** :math:`(B, C)`

    Example:
        >>> norm = PoolNorm(4)
        >>> norm(torch.randn(1, 4)).shape  # a single sample, in training
        torch.Size([1, 4])
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or x.size(0) > 1:
            return super().forward(x)
        scale, shift = self.running_affine()
        return x * scale + shift

    def running_affine(self) -> tuple[Tensor, Tensor]:
        """Factor and summand that it applies in evaluation, ``[C]`` each."""
        assert self.running_mean is not None and self.running_var is not None, "statistics are tracked"
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias - self.running_mean * scale
