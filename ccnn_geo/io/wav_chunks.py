"""The chunks of a wav file: the format of the sound, and where it lies."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import NamedTuple

PCM, FLOAT = 1, 3
_EXTENSIBLE = 0xFFFE
_GUID = bytes.fromhex("0000000010008000 00aa00389b71")
_COMPRESSED = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 80: "MPEG", 85: "MP3"}

_UNKNOWN = 0x7FFF0000
"""No file is larger; a program that wrote into a pipe did not know the size and claims this one or more."""

_BEHIND = (b"LIST", b"id3 ", b"ID3", b"TAG", b"APETAGEX", b"cue ", b"smpl", b"bext", b"iXML", b"_PMX")
"""Beginnings of tags, and of chunks that may be cut off behind a complete sound."""

_NAMES = re.compile(rb"LIST(?:....)(?:INFO|adtl)|id3 |ID3 |cue |smpl|bext|iXML|_PMX", re.DOTALL)
_SOUNDS = (b"data", b"RIFF", b"RIFX", b"RF64", b"BW64")
_FEW = 16
"""Most stray bytes behind a sound, such as the end of a line."""


class Sound(NamedTuple):
    """Samples as stored in the file.

    Args:
        tag: :data:`PCM` or :data:`FLOAT`.
        channels: Number of channels.
        rate: Samples per second.
        width: Bytes of a sample.
        order: ``<`` or ``>``, numpy's byte order.
        data: The bytes, whole frames.
    """

    tag: int
    channels: int
    rate: int
    width: int
    order: str
    data: memoryview


def find_sound(path: Path, content: bytes) -> Sound:
    """Finds the sound in a wav file for :func:`read_wav`.

    A length of the sound that a program did not know, 0xFFFFFFFF or 0 with samples behind it, is taken from the end of
    the file, less a list of texts there. RF64 and BW64 have their lengths in a chunk ``ds64``. Behind the sound only
    chunks, tags or zeros may come; anything else is sound that a wrong length leaves out.

    Args:
        path: The file, for messages.
        content: The whole file, from ``RIFF....WAVE``.

    Raises:
        ValueError: If the header or the sound is missing, cut off, compressed or contradicts itself, or if there is
            more sound than the header says.
    """
    order = ">" if content[:4] == b"RIFX" else "<"
    form, long, at = b"", 0, 12
    while (name := content[at : at + 4]) != b"data":
        if not _is_chunk(content, at, order):
            raise ValueError(
                f"{path}: {len(content)} bytes without a chunk of sound, expected 'fmt ' and 'data', got "
                f"{name!r} at byte {at}"
            )
        size = _size(content, at, order)
        start, at = at + 8, at + 8 + size
        if name == b"fmt ":
            form = content[start:at]
        elif name == b"ds64" and size >= 16:
            (long,) = struct.unpack_from("<Q", content, start + 8)
        # a padding byte follows an odd chunk; some programs forget it
        at += size % 2 and not (_is_chunk(content, at, order) and not _is_chunk(content, at + 1, order))
    start = at + 8
    if len(content) < start:
        raise ValueError(f"{path}: cut off at byte {len(content)}, in the header of its sound")
    tag, channels, rate, width = _format(path, form, order)
    frame = channels * width
    size = _size(content, at, order)
    if size == 0xFFFFFFFF and 0 < long < 2**63:
        size = long
    there = len(content) - start
    too_long = size > there and _UNKNOWN <= size < 2**32
    if too_long or (size == 0 and there and not _are_chunks(content, start, order)):
        size = _to_the_end(content, start, order) // frame * frame
    if size > there:
        raise ValueError(f"{path}: cut off, {there} bytes of sound, expected {size}")
    if size % frame:
        raise ValueError(
            f"{path}: {size} bytes of sound, expected a multiple of {frame}: {channels} channels of {width} bytes"
        )
    if (left_out := _sound_behind(content, start + size, order)) >= frame:
        raise ValueError(
            f"{path}: the header says {size} bytes of sound, but {left_out} more follow, expected chunks, a tag or "
            f"nothing there"
        )
    return Sound(tag, channels, rate, width, order, memoryview(content)[start : start + size])


def _format(path: Path, form: bytes, order: str) -> tuple[int, int, int, int]:
    if len(form) < 16:
        raise ValueError(f"{path}: {len(form)} bytes in the format chunk, expected 16 or more")
    tag, channels, rate, _, frame, bits = struct.unpack_from(f"{order}HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= 40 and form[26:40] == _GUID:
        (tag,) = struct.unpack_from(f"{order}H", form, 24)
    width = frame // channels if channels else 0
    if tag not in (PCM, FLOAT):
        raise ValueError(
            f"{path}: compressed or unknown (format {tag}{f', {name}' if (name := _COMPRESSED.get(tag)) else ''}), "
            f"expected PCM of 8, 16, 24 or 32 bits or floating point"
        )
    known = (1, 2, 3, 4) if tag == PCM else (4, 8)
    if width not in known or channels * width != frame or not 8 * width - 8 < bits <= 8 * width:
        raise ValueError(
            f"{path}: {channels} channels, {bits} bits and {frame} bytes per frame, expected samples of "
            f"{', '.join(str(8 * n) for n in known)} bits"
        )
    return tag, channels, rate, width


def _size(content: bytes, at: int, order: str) -> int:
    return struct.unpack_from(f"{order}I", content, at + 4)[0]


def _is_chunk(content: bytes, at: int, order: str) -> bool:
    """Whether a chunk begins here: a name of letters and a length that fits the file; for the sound, any length."""
    name = content[at : at + 4]
    if len(content) < at + 8 or not all(32 <= byte < 127 for byte in name):
        return False
    return name == b"data" or at + 8 + _size(content, at, order) <= len(content)


def _are_chunks(content: bytes, at: int, order: str) -> bool:
    """Whether the rest of the file is chunks."""
    while at < len(content):
        if not _is_chunk(content, at, order):
            return False
        size = _size(content, at, order)
        at += 8 + size + size % 2
    return True


def _sound_behind(content: bytes, end: int, order: str) -> int:
    """Counts the bytes behind the sound, except chunks, the last perhaps cut off, tags, a repeated byte, and a few."""
    for at in (end, end + 1):  # a padding byte follows an odd length; some programs forget it
        while _is_chunk(content, at, order) and content[at : at + 4] not in _SOUNDS:
            size = _size(content, at, order)
            at += 8 + size
            at += size % 2 and not (_is_chunk(content, at, order) and not _is_chunk(content, at + 1, order))
        rest = content[at:]
        if len(rest) <= _FEW or len(set(rest)) == 1 or rest.startswith(_BEHIND):
            return 0
    return len(content) - end


def _to_the_end(content: bytes, start: int, order: str) -> int:
    """Bytes from here to the end, or to tags and chunks with these names that reach the end."""
    end = len(content) - 128 if content[-128:-125] == b"TAG" else len(content)
    for found in _NAMES.finditer(content, start, end):
        if _are_chunks(content[:end], found.start(), order):
            return found.start() - start
    return end - start
