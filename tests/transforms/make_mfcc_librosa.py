"""Writes ``mfcc_librosa.npz``: what librosa makes of one signal, with the settings of the tests.

python -m venv /tmp/librosa && /tmp/librosa/bin/pip install librosa==0.11.0
/tmp/librosa/bin/python tests/transforms/make_mfcc_librosa.py
"""

import warnings
from pathlib import Path

import numpy as np

TARGET = Path(__file__).with_name("mfcc_librosa.npz")

SETTINGS = {
    "paper": {"n_mfcc": 20, "sample_rate": 16000, "n_fft": 200, "hop": 100, "n_mels": 64, "log": "natural"},
    "speech": {"n_mfcc": 13, "sample_rate": 8000, "n_fft": 256, "hop": 80, "n_mels": 40, "log": "decibel"},
}


def signal() -> np.ndarray:
    """A quarter of a second at 16 kHz: a rising tone that dies away, a steady one, and silence."""
    t = np.arange(4000) / 16000
    x = 0.6 * np.exp(-8 * t) * np.sin(2 * np.pi * (150 * t + 9000 * t**2)) + 0.05 * np.sin(
        2 * np.pi * 3111 * t
    )
    return np.where(t < 0.2, x, 0).astype(np.float32)


def coefficients(x: np.ndarray, n_mfcc, sample_rate, n_fft, hop, n_mels, log) -> np.ndarray:
    """``[n_mfcc, frames]`` by librosa's spectrogram and filters, and scipy's cosine transform."""
    import librosa
    import scipy.fft

    power = (
        np.abs(librosa.stft(x, n_fft=n_fft, hop_length=hop, window="hann", center=True, pad_mode="reflect"))
        ** 2
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of filters narrower than a bin
        mel = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, htk=True, norm=None) @ power
    logarithm = (
        np.log(mel + 1e-6) if log == "natural" else librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=80)
    )
    return scipy.fft.dct(logarithm, axis=0, type=2, norm="ortho")[:n_mfcc]


if __name__ == "__main__":
    x = signal()
    found = {name: coefficients(x.astype(np.float64), **settings) for name, settings in SETTINGS.items()}
    np.savez_compressed(TARGET, signal=x, **{name: c.astype(np.float32) for name, c in found.items()})
