"""Augmentation: noisy sounds."""

import torch
from torch import Generator, Tensor


class RandomNoise:
    r"""Adds white noise at a random signal-to-noise ratio: :math:`x + n`, :math:`P_n = P_x 10^{-r / 10}`.

    :math:`P` is the mean square over all channels. A silent sound gets no noise.

    Args:
        snr: range of the ratio :math:`r` in decibels; uniform within it.
        generator: source of randomness (default: torch's global one).

    Shapes:
        ``[C, *S]``, sound or another grid, unchanged in shape; floating point.

    Raises:
        ValueError: unless snr is a pair with snr[0] <= snr[1].

    Example:
        >>> RandomNoise(snr=(20.0, 20.0))(torch.ones(1, 1000)).std() < 0.2
        tensor(True)
    """

    def __init__(self, snr: tuple[float, float] = (10.0, 40.0), generator: Generator | None = None) -> None:
        if isinstance(snr, int | float) or len(snr) != 2 or not snr[0] <= snr[1]:
            raise ValueError(f"snr: expected (low, high) in decibels, got {snr}")
        self.snr = (float(snr[0]), float(snr[1]))
        self.generator = generator

    def __call__(self, sound: Tensor) -> Tensor:
        low, high = self.snr
        ratio = low + (high - low) * float(torch.rand((), generator=self.generator))
        noise = torch.randn(sound.shape, generator=self.generator, dtype=sound.dtype, device=sound.device)
        return sound + noise * (sound.square().mean().sqrt() * 10 ** (-ratio / 20))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(snr=({self.snr[0]:g}, {self.snr[1]:g}))"
