"""Batch normalisation with running statistics that forget their initial values at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BatchNorm(nn.BatchNorm1d):
    r"""``BatchNorm1d`` with running statistics that depend only on the batches, from the first batch on.

    .. math::
        \hat\mu_t = (1 - \eta_t)\,\hat\mu_{t-1} + \eta_t\,\mu_t, \qquad \eta_t = \max(\eta, 1/t)

    with the mean :math:`\mu_t` of batch :math:`t` and the momentum :math:`\eta`; the variance follows the same rule.
    The first :math:`1/\eta` batches have equal weights. With a constant momentum the initial mean 0 and variance 1
    would weigh :math:`(1-\eta)^t`, a third of the total after ten batches. The number of batches is the buffer
    ``num_batches_tracked``, so a resumed training gives the same statistics as an uninterrupted one, and nothing waits
    for the device. Parameters, buffers, outputs and gradients are the same as in ``BatchNorm1d``.

    Running statistics still lag behind changing weights: see :func:`~ccnn_geo.nn.norm.statistics.fresh_statistics`.

    Shapes:
        - **input and output:** :math:`(N, C)` or :math:`(N, C, *S)`

    Raises:
        ValueError: In training, if there is only one value per channel.

    Example:
        >>> norm = BatchNorm(2)
        >>> _ = norm(torch.tensor([[1.0, 4.0], [3.0, 8.0]]))
        >>> norm.running_mean.tolist(), norm.running_var.tolist()
        ([2.0, 6.0], [2.0, 8.0])
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() > 3:
            return self.forward(x.flatten(2)).unflatten(2, x.shape[2:])
        if not self.training or self.running_mean is None or self.running_var is None:
            return super().forward(x)
        self._check_input_dim(x)
        mean, variance = torch.zeros_like(self.running_mean), torch.ones_like(self.running_var)
        # with momentum 1 these become the batch's own, which torch has computed anyway
        y = F.batch_norm(x, mean, variance, self.weight, self.bias, True, 1.0, self.eps)
        self.remember(mean, variance)
        return y

    @torch.no_grad()
    def remember(self, mean: Tensor, variance: Tensor, has_any: Tensor | None = None) -> None:
        """Updates the running statistics with those of a batch.

        Args:
            mean: Mean of the batch, ``[C]``.
            variance: Unbiased variance of the batch, ``[C]``.
            has_any: Whether the batch has statistics, a scalar tensor; without them nothing changes.
        """
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1 if has_any is None else has_any.to(torch.long))
        share = self.num_batches_tracked.to(mean.dtype).reciprocal()
        if self.momentum is not None:
            share = share.clamp(min=self.momentum)
        if has_any is not None:
            share = torch.where(has_any, share, torch.zeros_like(share))
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)
