"""Reads recordings of any format: wav by our own reader, others by libsndfile."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from ccnn_geo._base.extras import needs
from ccnn_geo.io.files.sample_files import FileKind
from ccnn_geo.io.wav import MAX_RATE, read_wav

OTHERS = (".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au")
"""Formats that need the extra ``audio``."""

RECORDINGS = FileKind("recordings", (".wav", *OTHERS), with_targets=True)

LONGEST = 2**28
"""Most samples of all channels together: a gigabyte."""

BLOCK = 2**20


def read_recording(path: str | PathLike[str]) -> tuple[np.ndarray, int]:
    """Reads samples and rate of a recording: wav, or with the extra ``audio`` FLAC, Ogg, Opus, MP3, AIFF and AU.

    Returns:
        Samples ``[C, T]`` float32, integers in [-1, 1), and samples per second.

    Raises:
        OSError: If the file cannot be opened.
        ImportError: If the file is not wav and the extra is not installed.
        ValueError: If the file is damaged, or holds no samples, infinite ones, or more than 268 million.
    """
    path = Path(path)
    if path.suffix.lower() not in OTHERS:
        return read_wav(path)
    with needs("audio", f"{path}: reading {path.suffix.lower()} files"):
        import soundfile
    with path.open("rb"):  # the system reports a file that cannot be opened
        pass
    try:
        with soundfile.SoundFile(path) as file:
            rate, parts, count = file.samplerate, list[np.ndarray](), 0
            # in blocks: a header may claim any length
            while count <= LONGEST and len(part := file.read(BLOCK, dtype="float32", always_2d=True)):
                parts.append(part)
                count += part.size
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(
            f"{path}: expected a whole recording, got one that cannot be read ({error})"
        ) from error
    if count == 0 or count > LONGEST or not 0 < rate <= MAX_RATE:
        raise ValueError(
            f"{path}: expected 1 to {LONGEST} samples at 1 to {MAX_RATE} per second, got {count or 'none'} at {rate}"
        )
    samples = np.concatenate(parts)
    if not np.isfinite(samples).all():
        raise ValueError(f"{path}: {np.count_nonzero(~np.isfinite(samples))} samples are not finite")
    return np.ascontiguousarray(samples.T), rate
