"""A Perceiver on point clouds: the network of perceiver-pytorch on Fourier features of the positions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ccnn_geo._base.extras import needs
from ccnn_geo._base.pyg import Data
from ccnn_geo.experiments.baselines.clouds import equal_clouds


class PointPerceiver(nn.Module):
    r"""Perceiver for classification: latents attend to points, then to each other, in turns.

    .. math::
        \phi(p) = (p, \sin(\pi f_m p), \cos(\pi f_m p)), \quad f_1 = 1, \dots, f_M = f_{max} / 2

    Args:
        in_channels: Features of a point beside its position: 0, or 3 with normals.
        num_classes: Number of classes.
        bands: Frequencies :math:`M` of each axis.
        max_frequency: :math:`f_{max}`, twice the highest one.
        depth: Number of turns.
        num_latents: Latent vectors.
        latent_dim: Their width.
        latent_heads: Heads of the attention among latents.
        self_attention: Layers of that attention in a turn.
        dropout: Dropout in attention and feed-forward layers.

    Shapes:
        - **data:** ``x`` :math:`(B N, C)`, ``pos`` :math:`(B N, 3)` in the unit sphere, ``batch``
        - **output:** :math:`(B, K)`

    Raises:
        ImportError: If ``perceiver-pytorch`` is not installed.
        ValueError: If a cloud has no points, or the points have another number of channels.

    Source: Jaegle et al., 2021, `"Perceiver: General Perception with Iterative Attention"
    <https://arxiv.org/abs/2103.03206>`_, Sec. 4.3: 64 bands up to 1,120, two turns of six layers; network of the
    package perceiver-pytorch. Latents and layers are fewer here, for training on one core.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        bands: int = 64,
        max_frequency: float = 1120.0,
        depth: int = 2,
        num_latents: int = 64,
        latent_dim: int = 128,
        latent_heads: int = 4,
        self_attention: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        with needs("peers", "PointPerceiver"):
            from perceiver_pytorch import Perceiver
        self.in_channels = in_channels
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.linspace(1.0, max_frequency / 2, bands), persistent=False)
        self.network = Perceiver(
            num_freq_bands=0,
            max_freq=1.0,
            fourier_encode_data=False,  # its own features are for grids
            depth=depth,
            input_channels=3 * (2 * bands + 1) + in_channels,
            input_axis=1,
            num_latents=num_latents,
            latent_dim=latent_dim,
            latent_heads=latent_heads,
            latent_dim_head=latent_dim // latent_heads,
            num_classes=num_classes,
            attn_dropout=dropout,
            ff_dropout=dropout,
            self_per_cross_attn=self_attention,
        )

    def features(self, pos: Tensor) -> Tensor:
        r""":math:`\phi(p)`: ``[*, D]`` to ``[*, D (2 M + 1)]``."""
        phase = (math.pi * self.frequencies.to(pos.dtype) * pos.unsqueeze(-1)).flatten(-2)
        return torch.cat([pos, phase.sin(), phase.cos()], dim=-1)

    def forward(self, data: Data) -> Tensor:
        pos, x = equal_clouds(data, "PointPerceiver", self.in_channels)
        return self.network(torch.cat([self.features(pos), x], dim=-1))
