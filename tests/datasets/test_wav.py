"""Wav files of every kind, and files that are none."""

import struct
import wave

import numpy as np
import pytest
from scipy.io import wavfile

from ccnn_geo.datasets.wav import fit_length, read_wav, resample

TONE = 0.5 * np.sin(0.1 * np.arange(1000))


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def wav(
    content: bytes, tag: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16, before: bytes = b""
) -> bytes:
    align = channels * bits // 8
    body = b"WAVE" + chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * align, align, bits))
    body += before + chunk(b"data", content)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("dtype", "scale", "offset"),
    [("u1", 2**7, 128), ("<i2", 2**15, 0), ("<i4", 2**31, 0), ("<f4", 1, 0), ("<f8", 1, 0)],
)
def test_samples_come_back(tmp_path, dtype, scale, offset, channels):
    data = np.stack([TONE, -TONE][:channels], axis=1) * scale + offset
    data = data.astype(dtype) if "f" in dtype else np.rint(data).astype(dtype)
    wavfile.write(tmp_path / "a.wav", 22050, data)
    samples, rate = read_wav(tmp_path / "a.wav")
    assert rate == 22050 and samples.shape == (channels, 1000) and samples.dtype == np.float32
    expected = (data.astype(np.float64).T - offset) / scale
    np.testing.assert_allclose(samples, expected, rtol=1e-7, atol=0)
    np.testing.assert_allclose(samples[0], TONE, rtol=0, atol=max(1 / scale, 1e-7))


def test_24_bits(tmp_path):
    steps = np.array([0, 1, -1, 2**23 - 1, -(2**23)])
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(16000)
        file.writeframes(b"".join(int(s).to_bytes(3, "little", signed=True) for s in steps))
    samples, _ = read_wav(tmp_path / "a.wav")
    np.testing.assert_array_equal(samples[0], (steps / 2**23).astype(np.float32))


def test_16_bits_are_kept_exactly(tmp_path):
    data = np.arange(-(2**15), 2**15, dtype=np.int16)
    wavfile.write(tmp_path / "a.wav", 8000, data)
    np.testing.assert_array_equal(np.rint(read_wav(tmp_path / "a.wav")[0][0] * 2**15), data)


def test_other_chunks_are_skipped(tmp_path):
    others = chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0\0") + chunk(b"note", b"odd")
    (tmp_path / "a.wav").write_bytes(wav(b"\1\0\2\0", before=others))
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav")[0], np.array([[1, 2]], np.float32) / 2**15)


GOOD = wav(b"\1\0" * 100)


@pytest.mark.parametrize("size", [*range(46), 100, len(GOOD) - 1])
def test_a_file_that_is_cut_off(tmp_path, size):
    (tmp_path / "a.wav").write_bytes(GOOD[:size])
    with pytest.raises(ValueError, match=r"a\.wav: (not a wav file|cannot be read|holds no samples)"):
        read_wav(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"OggS" + bytes(100), "not a wav file, expected it to start with RIFF....WAVE, got b'OggS"),
        (b"RIFF\x24\0\0\0AVI " + bytes(100), "not a wav file"),
        (
            wav(b"\1" * 8, tag=7, bits=8),
            "cannot be read .*expected a complete wav file, PCM of 8, 16, 24 or 32",
        ),
        (wav(b"\1" * 8, bits=64), "samples of type int64, expected 8, 16, 24 or 32 bits"),
        (wav(b"\1" * 8, channels=0), "cannot be read"),
        (wav(b"\1" * 10, channels=2), "cannot be read"),
        (wav(b""), "holds no samples"),
        (wav(b"\1\0", rate=0), "expected 1 to 1000000 samples per second, got 0"),
        (wav(b"\1\0", rate=2**30), "samples per second, got 1073741824"),
        (wav(struct.pack("<3f", 0, np.nan, np.inf), tag=3, bits=32), "2 samples are not finite"),
        (wav(struct.pack("<2d", 0, 1e300), tag=3, bits=64), "1 samples are not finite"),
        (
            GOOD.replace(b"data\xc8\0\0\0", b"data\xf0\xff\xff\xff"),
            "EOFError: 200 of 4294967280 bytes are there",
        ),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, message):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_wav(tmp_path / "a.wav")


def test_damaged_headers_raise_nothing_else(tmp_path):
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        content = bytearray(GOOD)
        content[rng.integers(4, 44)] = rng.integers(256)
        (tmp_path / "a.wav").write_bytes(content)
        try:
            samples, _ = read_wav(tmp_path / "a.wav")
            assert np.isfinite(samples).all()
        except ValueError:
            refused += 1
    assert 200 < refused < 300


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_wav(tmp_path / "a.wav")


@pytest.mark.parametrize(("rate", "target"), [(8000, 16000), (16000, 8000), (22050, 16000)])
def test_a_tone_keeps_its_pitch(rate, target):
    tone = [np.sin(2 * np.pi * 500 * np.arange(r // 10) / r)[None].astype(np.float32) for r in (rate, target)]
    found = resample(tone[0], rate, target)
    assert found.shape == tone[1].shape and found.dtype == np.float32
    middle = slice(target // 50, -target // 50)  # the ends know nothing of what would follow
    np.testing.assert_allclose(found[0, middle], tone[1][0, middle], rtol=0, atol=0.01)


def test_the_same_rate_changes_nothing():
    x = np.ones((1, 5), np.float32)
    assert resample(x, 44100, 44100) is x


def test_lengths():
    x = np.arange(1, 6)[None]
    np.testing.assert_array_equal(fit_length(x, 5), x)
    np.testing.assert_array_equal(fit_length(x, 8), [[0, 1, 2, 3, 4, 5, 0, 0]])
    np.testing.assert_array_equal(fit_length(x, 2), [[2, 3]])
    np.testing.assert_array_equal(fit_length(x, 1), [[3]])
