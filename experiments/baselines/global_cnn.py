"""Global CNN: the architecture of CCNN with discrete kernels as long as the input."""

from __future__ import annotations

from ccnn_geo.experiments.baselines.discrete_cnn import DiscreteCNN


class GlobalCNN(DiscreteCNN):
    r"""Discrete convolutional network with the architecture of CCNN and global kernels.

    .. math::
        k \in \mathbb R^{C \times K_1 \times \dots \times K_D}, \quad
        y[n] = W \Big( \sum_t k[t] \odot x[n - (t - m)] + b \Big) + c

    ``kernel_size`` ties the network to the length :math:`S` of its input:

    - causal sequences: :math:`K = S`, the whole past;
    - centred kernels: :math:`K_d = 2 S_d - 1` reaches from every sample to every other, as in CCNN; with CCNN's taps
      the networks agree exactly. :math:`K_d = S_d`, the kernels "as large as the input" of the source, reaches half
      of it to either side.

    An input of another size is convolved with the same taps, as far as they reach; nothing adapts them.

    Arguments, shapes and errors are those of :class:`~ccnn_geo.experiments.baselines.discrete_cnn.DiscreteCNN`.

    Source: `"Modelling Long Range Dependencies in ND" <https://arxiv.org/abs/2301.10540>`_, appendix D.1.1, Table 5.
    It gives causal sequences only.

    Example:
        >>> model = GlobalCNN(3, 10, dim=1, kernel_size=1024, causal=True)
        >>> model(torch.randn(2, 3, 1024)).shape
        torch.Size([2, 10])
    """
