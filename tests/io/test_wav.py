"""Wav files of every kind, and files that are none."""

import struct
import wave

import numpy as np
import pytest
from scipy.io import wavfile

from ccnn_geo.io.wav import fit_length, read_wav, resample

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
    with pytest.raises(
        ValueError, match=r"a\.wav: (not a wav file|\d+ bytes without a chunk of sound|cut off)"
    ):
        read_wav(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"OggS" + bytes(100), "not a wav file, expected a start of RIFF....WAVE, got b'OggS"),
        (b"RIFF\x24\0\0\0AVI " + bytes(100), "not a wav file"),
        (
            wav(b"\1" * 8, tag=7, bits=8),
            r"compressed or unknown \(format 7, mu-law\), expected PCM of 8, 16, 24 or 32",
        ),
        (
            wav(b"\1" * 8, bits=64),
            "1 channels, 64 bits and 8 bytes per frame, expected samples of 8, 16, 24, 32 bits",
        ),
        (wav(b"\1" * 8, channels=0), "0 channels, 16 bits"),
        (wav(b"\1" * 10, channels=2), "10 bytes of sound, expected a multiple of 4: 2 channels of 2 bytes"),
        (wav(b""), "holds no samples"),
        (wav(b"\1\0", rate=0), "expected 1 to 1000000 samples per second, got 0"),
        (wav(b"\1\0", rate=2**30), "samples per second, got 1073741824"),
        (wav(struct.pack("<3f", 0, np.nan, np.inf), tag=3, bits=32), "2 samples are not finite"),
        (wav(struct.pack("<2d", 0, 1e300), tag=3, bits=64), "1 samples are not finite"),
        (
            GOOD.replace(b"data\xc8\0\0\0", b"data\xc8\0\0\1"),
            "cut off, 200 bytes of sound, expected 16777416",
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


def little(*sizes: int) -> bytes:
    return struct.pack(f"<{len(sizes)}I", *sizes)


STEPS = np.array([[1, -2, 3], [4, -5, 6]], "<i2")
SOUND = STEPS.T.tobytes()
FORM = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, 8000, 32000, 4, 16))
TEXTS = chunk(b"LIST", b"INFOISFT" + little(6) + b"Lavf1\0")


CUES = chunk(b"cue ", little(0)) + chunk(b"LIST", b"adtlnote" + little(0))


@pytest.mark.parametrize(
    "rest", [b"", b"\1", b"\1\0\2", TEXTS, CUES, chunk(b"id3 ", b"ID3\3" + b"\x7f" * 20), b"TAG" + b"a" * 125]
)
@pytest.mark.parametrize("length", [0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC])
@pytest.mark.parametrize("before", [b"", TEXTS])
def test_written_into_a_pipe(tmp_path, length, before, rest):
    """The length is not known: all whole frames are read, but for texts at the end."""
    content = b"RIFF" + little(0xFFFFFFFF) + b"WAVE" + FORM + before + b"data" + little(length) + SOUND + rest
    (tmp_path / "a.wav").write_bytes(content)
    samples, rate = read_wav(tmp_path / "a.wav")
    assert rate == 8000
    np.testing.assert_array_equal(samples, STEPS / np.float32(2**15))


def test_no_sound_before_texts(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF" + little(0) + b"WAVE" + FORM + b"data" + little(0) + TEXTS)
    with pytest.raises(ValueError, match=r"a\.wav: holds no samples"):
        read_wav(tmp_path / "a.wav")


@pytest.mark.parametrize("name", [b"RF64", b"BW64"])
@pytest.mark.parametrize("length", [len(SOUND), 0, 2**64 - 1])
def test_large_files(tmp_path, name, length):
    sizes = chunk(b"ds64", struct.pack("<QQQI", 0, length, 3, 0))
    body = sizes + FORM + b"data" + little(0xFFFFFFFF) + SOUND + (TEXTS if length == len(SOUND) else b"")
    (tmp_path / "a.wav").write_bytes(name + little(0xFFFFFFFF) + b"WAVE" + body)
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav")[0], STEPS / np.float32(2**15))
    if length == len(SOUND):
        (tmp_path / "a.wav").write_bytes(name + little(0xFFFFFFFF) + b"WAVE" + body[: -len(TEXTS) - 4])
        with pytest.raises(ValueError, match=r"a\.wav: cut off, 8 bytes of sound, expected 12"):
            read_wav(tmp_path / "a.wav")


@pytest.mark.parametrize(
    "rest",
    [
        *(b"\0" * 70, TEXTS, b"\0" + TEXTS, TEXTS[:-5], chunk(b"note", b"odd") + b"TAG" + b"\xe9" * 125),
        *(b"\r\n", b"\xff" * 50, TEXTS + b"abc", b"note" + little(3) + b"odd" + TEXTS),
    ],
)
def test_what_lies_behind_the_sound(tmp_path, rest):
    (tmp_path / "a.wav").write_bytes(b"RIFF" + little(0) + b"WAVE" + FORM + chunk(b"data", SOUND) + rest)
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav")[0], STEPS / np.float32(2**15))


LONG = np.arange(20, dtype="<i2").tobytes()


@pytest.mark.parametrize(
    "rest",
    [
        LONG,
        TEXTS + LONG,
        *(before + chunk(name, LONG) for before in (b"", TEXTS) for name in (b"data", b"RIFF")),
    ],
)
def test_more_sound_than_the_header_says(tmp_path, rest):
    (tmp_path / "a.wav").write_bytes(b"RIFF" + little(0) + b"WAVE" + FORM + chunk(b"data", SOUND) + rest)
    message = (
        rf"a\.wav: the header says 12 bytes of sound, but {len(rest)} more follow, expected chunks, a tag"
    )
    with pytest.raises(ValueError, match=message):
        read_wav(tmp_path / "a.wav")


@pytest.mark.parametrize("padding", [b"\0", b"", b"x"])
def test_chunks_of_odd_length(tmp_path, padding):
    odd = b"note" + little(3) + b"odd" + padding
    (tmp_path / "a.wav").write_bytes(b"RIFF" + little(0) + b"WAVE" + odd + FORM + chunk(b"data", SOUND))
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav")[0], STEPS / np.float32(2**15))


@pytest.mark.parametrize(
    ("tag", "bits", "dtype", "scale"), [(1, 16, "<i2", 2**15), (1, 12, "<i2", 2**15), (3, 32, "<f4", 1)]
)
def test_extensible(tmp_path, tag, bits, dtype, scale):
    data = np.array([16, -32, 48, 0]).astype(dtype)
    width = data.itemsize
    form = struct.pack("<HHIIHH", 0xFFFE, 1, 8000, 8000 * width, width, 8 * width)
    form += struct.pack("<HHIH", 22, bits, 4, tag) + bytes.fromhex("000000001000800000aa00389b71")
    (tmp_path / "a.wav").write_bytes(
        b"RIFF" + little(0) + b"WAVE" + chunk(b"fmt ", form) + chunk(b"data", data.tobytes())
    )
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav")[0][0], data / np.float32(scale))


@pytest.mark.parametrize("dtype", ["i2", "i4", "f4", "f8"])
def test_the_other_order_of_bytes(tmp_path, dtype):
    data = np.array([0.25, -0.5, 0.125]) * (1 if "f" in dtype else 2.0 ** (8 * int(dtype[1]) - 1))
    body = data.astype(f">{dtype}").tobytes()
    width = int(dtype[1])
    form = struct.pack(">HHIIHH", 3 if "f" in dtype else 1, 1, 8000, 8000 * width, width, 8 * width)
    content = b"fmt " + struct.pack(">I", 16) + form + b"data" + struct.pack(">I", len(body)) + body
    (tmp_path / "a.wav").write_bytes(b"RIFX" + struct.pack(">I", len(content) + 4) + b"WAVE" + content)
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav")[0], np.float32([[0.25, -0.5, 0.125]]))


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
