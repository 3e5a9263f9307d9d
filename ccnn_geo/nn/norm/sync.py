"""Batch normalisation over all processes of a distributed run, on any device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ccnn_geo._base.processes import is_distributed
from ccnn_geo.nn.norm.batch import BatchNorm


class SyncBatchNorm1d(BatchNorm):
    r"""Batch normalisation with the mean and variance of all processes together.

    .. math::
        \mu_c = \frac{\sum_r \sum_i x^{(r)}_{ic}}{\sum_r n_r}, \qquad
        \sigma_c^2 = \frac{\sum_r \sum_i (x^{(r)}_{ic} - \mu_c)^2}{\sum_r n_r}

    where process :math:`r` has :math:`n_r` values per channel; numbers may differ because clouds are ragged. Values and
    gradients are the same as in one process with all samples. :class:`torch.nn.SyncBatchNorm` does the same on GPUs but
    rejects tensors on the CPU. If there is only one value in total, it is normalised by the running statistics, as in
    :class:`~ccnn_geo.nn.norm.pool.PoolNorm`. Otherwise this is :class:`~ccnn_geo.nn.norm.batch.BatchNorm`.

    Shapes:
        - **input and output:** :math:`(n_r, C)` or :math:`(n_r, C, *S)`

    Example:
        >>> norm = SyncBatchNorm1d(4)
        >>> y = norm(torch.randn(100, 4))  # one process: its own statistics
        >>> bool(y.mean().abs() < 1e-5)
        True
    """

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and is_distributed()):
            return super().forward(x)
        y = x if x.dtype in (torch.float32, torch.float64) else x.float()
        axes, shape = [0, *range(2, x.dim())], (1, -1, *[1] * (x.dim() - 2))
        sums = _sum_over_processes(torch.cat([y.sum(axes), y.new_full((1,), y.numel() / y.size(1))]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        # from deviations, not from squares: those cancel in float32
        variance = _sum_over_processes((y - mean.view(shape)).square().sum(axes)) / count
        unbiased = variance.detach() * count / (count - 1).clamp(min=1)
        self.remember(mean.detach(), unbiased, count > 1)
        if self.running_mean is not None and self.running_var is not None:
            mean = torch.where(count > 1, mean, self.running_mean)
            variance = torch.where(count > 1, variance, self.running_var)
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        y = (y - mean.view(shape)) * scale.view(shape)
        return (y + self.bias.view(shape) if self.affine else y).to(x.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"SyncBatchNorm1d: expected [n, C] or [n, C, *S], got {list(input.shape)}")


def convert_sync_norms(module: nn.Module) -> nn.Module:
    """Replaces every batch normalisation in a module by a :class:`SyncBatchNorm1d` with the same parameters.

    Names stay the same, so checkpoints load into either. Call this before ``DistributedDataParallel``.

    Args:
        module: The module, changed in place.

    Returns:
        The module, or its replacement if it is a normalisation itself.
    """
    return _convert(module, {})


def _convert(module: nn.Module, done: dict[nn.Module, nn.Module]) -> nn.Module:
    if module in done:  # shared by several modules, as in JointCCNN
        return done[module]
    if isinstance(module, _BatchNorm) and not isinstance(module, SyncBatchNorm1d | nn.SyncBatchNorm):
        done[module] = _synchronised(module)
        return done[module]
    done[module] = module
    # named_children skips a second name of the same child
    for name, child in list(module.named_modules(remove_duplicate=False)):
        if name and "." not in name:
            setattr(module, name, _convert(child, done))
    return module


def _synchronised(norm: Any) -> SyncBatchNorm1d:
    result = SyncBatchNorm1d(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    )
    result.train(norm.training)
    for name, parameter in norm.named_parameters(recurse=False):
        setattr(result, name, parameter)
    for name, buffer in norm.named_buffers(recurse=False):
        setattr(result, name, buffer)
    return result


class _SumOverProcesses(torch.autograd.Function):
    """Sum of a tensor over all processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.contiguous().clone()
        torch.distributed.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        grad = grad.contiguous().clone()
        torch.distributed.all_reduce(grad)
        return grad


def _sum_over_processes(x: Tensor) -> Tensor:
    return _SumOverProcesses.apply(x)
