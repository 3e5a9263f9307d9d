"""GaborNet: the isotropic multiplicative Gabor network of Fathony et al."""

from __future__ import annotations

from ccnn_geo.kernels.magnet import MAGNet


class GaborNet(MAGNet):
    r"""Multiplicative Gabor network with one width per filter (Fathony et al., 2021).

    .. math::
        g_j(r) = \exp\big(-\tfrac12 \gamma_j^2 \lVert r - \mu_j \rVert^2\big) \sin(\omega_j \cdot r + \phi_j)

    Recursion and arguments as in :class:`~ccnn_geo.kernels.MAGNet`; every layer draws
    :math:`\gamma \sim \Gamma(6/(L+1), 1)`, so that the product of all layers keeps one width.

    Shapes:
        - **input:** relative positions :math:`(*, D)`
        - **output:** kernel values :math:`(*, C)`

    Example:
        >>> kernel = GaborNet(2, 8, omega_0=2.0)
        >>> kernel(torch.rand(100, 2)).shape  # values at 100 offsets
        torch.Size([100, 8])
    """

    isotropic = True

    def gamma_shape(self, layer: int) -> float:
        return 6.0 / (self.num_layers + 1)
