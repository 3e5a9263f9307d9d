"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

LOG_FLOOR = 1e-6
"""Added before the logarithm, so that silence gives -13.8 instead of minus infinity."""


class MFCC(nn.Module):
    r"""Mel-frequency cepstral coefficients of a signal: the shape of its spectrum, frame by frame.

    Let :math:`P` be the power spectrogram of Hann windows of ``n_fft`` samples, centred on every ``hop``-th sample of
    the signal, which is mirrored at its ends. With ``n_mels`` triangles :math:`W` on HTK's scale
    :math:`m = 2595 \log_{10}(1 + f / 700)` and the orthonormal cosine transform :math:`D` (type II),

    .. math:: c_{kt} = \sum_m D_{km} \log\Big(\sum_f W_{mf} P_{ft} + 10^{-6}\Big).

    The defaults are the paper's, after `Kidger et al. (2020) <https://arxiv.org/abs/2005.08926>`_, and agree
    with ``torchaudio.transforms.MFCC(n_mfcc=20, log_mels=True, melkwargs=dict(n_fft=200, n_mels=64))``. As there,
    triangles narrower than a bin of the spectrum stay empty.

    Args:
        n_mfcc: Number of coefficients to keep, the lowest ones.
        sample_rate: Samples per second.
        n_fft: Samples per window, and length of its transform.
        hop: Samples from one frame to the next; None for ``n_fft // 2``.
        n_mels: Number of triangles, from 0 to half the sample rate.
        log: ``"natural"`` as above; ``"decibel"`` for 10 log10 of the power, which is at least 1e-10; values more than
            80 dB below the loudest entry of a signal are raised to that level.

    Shapes:
        ``x [*, T]`` float32, samples in [-1, 1] -> ``[*, n_mfcc, 1 + T // hop]``. After ``.double()`` float64.

    Raises:
        ValueError: If sizes are not positive, there are more coefficients than triangles, ``log`` is unknown, or the
            signal is not longer than half a window.

    Example:
        >>> MFCC()(torch.randn(1, 16000)).shape
        torch.Size([1, 20, 161])
    """

    def __init__(
        self,
        n_mfcc: int = 20,
        sample_rate: int = 16000,
        n_fft: int = 200,
        hop: int | None = None,
        n_mels: int = 64,
        log: str = "natural",
    ) -> None:
        super().__init__()
        hop = n_fft // 2 if hop is None else hop
        sizes = {"n_mfcc": n_mfcc, "sample_rate": sample_rate, "n_fft": n_fft, "hop": hop, "n_mels": n_mels}
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"MFCC: {name} must be positive, got {value}")
        if n_mfcc > n_mels:
            raise ValueError(f"MFCC: at most n_mels = {n_mels} coefficients, got n_mfcc = {n_mfcc}")
        if log not in ("natural", "decibel"):
            raise ValueError(f"MFCC: log must be natural or decibel, got {log!r}")
        self.sizes, self.n_fft, self.hop, self.log = sizes, n_fft, hop, log
        self.window: Tensor
        self.mel: Tensor
        self.cosine: Tensor
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.register_buffer("mel", mel_triangles(n_mels, n_fft // 2 + 1, sample_rate), persistent=False)
        self.register_buffer("cosine", cosine_transform(n_mfcc, n_mels), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Coefficients ``[*, n_mfcc, 1 + T // hop]`` of signals ``[*, T]``."""
        length = x.size(-1) if x.dim() else 0
        if length <= self.n_fft // 2:
            raise ValueError(
                f"MFCC: expected [*, T] with T > {self.n_fft // 2}, half a window, got {list(x.shape)}"
            )
        spectrum = torch.stft(
            x.reshape(-1, length),
            self.n_fft,
            self.hop,
            window=self.window,
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()  # no root: its gradient at 0 is infinite
        coefficients = self.cosine @ self._logarithm(self.mel @ power)
        return coefficients.view(*x.shape[:-1], *coefficients.shape[1:])

    def _logarithm(self, energy: Tensor) -> Tensor:
        if self.log == "natural":
            return torch.log(energy + LOG_FLOOR)
        decibel = 10 * torch.log10(energy.clamp(min=1e-10))
        return decibel.maximum(decibel.amax(dim=(-2, -1), keepdim=True) - 80)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.sizes.items()) + f", log={self.log!r}"


def mel_triangles(n_mels: int, bins: int, sample_rate: float) -> Tensor:
    """Triangles ``[n_mels, bins]`` of height 1, evenly spaced on HTK's mel scale from 0 to half the sample rate."""
    top = 2595 * math.log10(1 + sample_rate / 2 / 700)
    corner = 700 * (10 ** (torch.linspace(0, top, n_mels + 2, dtype=torch.float64) / 2595) - 1)
    frequency = torch.linspace(0, sample_rate / 2, bins, dtype=torch.float64)
    below, centre, above = (corner[i : i + n_mels, None] for i in range(3))
    rising, falling = (frequency - below) / (centre - below), (above - frequency) / (above - centre)
    return rising.minimum(falling).clamp(min=0).float()


def cosine_transform(n_out: int, n_in: int) -> Tensor:
    """First rows ``[n_out, n_in]`` of the orthonormal discrete cosine transform of type II."""
    k, n = torch.arange(n_out, dtype=torch.float64)[:, None], torch.arange(n_in, dtype=torch.float64)
    rows = math.sqrt(2 / n_in) * torch.cos(math.pi / n_in * (n + 0.5) * k)
    rows[0] /= math.sqrt(2)
    return rows.float()
