"""Pictures as cameras and programs write them: what is shown, or a clear refusal."""

import io
import struct

import numpy as np
import pytest

from ccnn_geo.datasets.images.image_store import try_image
from ccnn_geo.io.image import read_image

pil = pytest.importorskip("PIL.Image")
PIXELS = np.random.default_rng(0).integers(256, size=(4, 6, 3), dtype=np.uint8)
TURNED = {  # of EXIF: where the first row and the first column are, by hand in numpy
    1: PIXELS,
    2: PIXELS[:, ::-1],
    3: PIXELS[::-1, ::-1],
    4: PIXELS[::-1],
    5: PIXELS.transpose(1, 0, 2),
    6: np.rot90(PIXELS, -1),
    7: PIXELS[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(PIXELS),
}


def exif(*entries, start=b"Exif\0\0II*\0\x08\0\0\0") -> bytes:
    """A block of tags ``(tag, type, count, four bytes)``, as it lies in a file."""
    body = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    return start + struct.pack("<H", len(entries)) + body + bytes(4)


def orientation(value) -> tuple:
    return (0x0112, 3, 1, struct.pack("<HH", value, 0))


ODD = {
    "none": (),
    "width as text": ((0x0100, 2, 4, b"wide"),),
    "signed resolution": ((0x011A, 9, 1, struct.pack("<i", -72)),),
    "rational without a value": ((0x011A, 5, 1, b"\xff\xff\xff\x7f"),),
    "position as text": ((0x0213, 2, 4, b"co\0\0"),),
    "unknown type": ((0x0131, 99, 1, bytes(4)),),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("turn", TURNED)
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_turned_whatever_the_other_tags_are(tmp_path, form, turn, odd):
    entries = sorted([orientation(turn), *ODD[odd]])
    path, shown = tmp_path / "image", io.BytesIO()
    if form == "TIFF":
        if odd != "none":
            pytest.skip("its tags are the image's own")
        pil.fromarray(PIXELS).save(path, form, tiffinfo={0x0112: turn})
    else:
        options = {"lossless": True} if form == "WEBP" else {}
        pil.fromarray(PIXELS).save(path, form, exif=exif(*entries), **options)
    found = read_image(path).transpose(1, 2, 0)
    if form == "JPEG":  # what the decoder gives, turned
        pil.fromarray(PIXELS).save(shown, form)
        plain = np.asarray(pil.open(shown))
        places = np.arange(24).reshape(4, 6, 1).repeat(3, 2)
        index = {t: f(places) for t, f in TURNS.items()}[turn][..., 0]
        assert np.array_equal(found, plain.reshape(24, 3)[index])
    else:
        assert np.array_equal(found, TURNED[turn])


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize(
    "block",
    [
        exif((0x0112, 2, 4, b"six\0")),
        exif((0x0112, 2, 2, b"6\0\0\0")),
        exif(orientation(9)),
        exif(orientation(0)),
        exif(orientation(6), start=b"Exif\0\0XX*\0\x08\0\0\0"),
        exif(orientation(6))[:20],
        b"Exif\0\0",
        exif((0x0112, 3, 2**31, b"\xff\xff\xff\xff")),
    ],
)
def test_tags_that_say_nothing_turn_nothing(tmp_path, block):
    for form in ("JPEG", "PNG"):
        pil.fromarray(PIXELS).save(tmp_path / "image", form, exif=block)
        assert read_image(tmp_path / "image").shape == (3, 4, 6)


def test_kinds_of_pixels(tmp_path):
    gray = PIXELS[..., 0]

    def shown(image, form="PNG", channels=3, **options):
        image.save(tmp_path / "image", form, **options)
        return read_image(tmp_path / "image", channels=channels)

    rgb = pil.fromarray(PIXELS)
    cmyk = pil.fromarray(np.concatenate([255 - PIXELS, np.zeros((4, 6, 1), np.uint8)], 2), "CMYK")
    assert np.abs(shown(cmyk, "TIFF").transpose(1, 2, 0).astype(int) - PIXELS).max() <= 1
    flat = pil.new("CMYK", (16, 16), (0, 255, 255, 0))  # red
    assert np.abs(shown(flat, "JPEG", quality=95)[:, 8, 8].astype(int) - [255, 0, 0]).max() <= 4
    palette = rgb.quantize(24)
    colours = np.asarray(palette.convert("RGB"))
    assert np.array_equal(
        shown(palette, transparency=0).transpose(1, 2, 0), colours
    )  # transparency is dropped
    assert np.array_equal(
        shown(palette, "GIF", save_all=True, append_images=[pil.new("P", (6, 4))]), shown(palette)
    )
    assert np.array_equal(shown(pil.fromarray(gray > 127))[0], (gray > 127) * 255)
    assert np.array_equal(shown(pil.fromarray(np.stack([gray, 255 - gray], -1), "LA"), channels=1)[0], gray)
    with pytest.raises(ValueError, match=r"image: pixels of mode I;16, expected 8 bits per channel"):
        shown(pil.fromarray(gray.astype(np.uint16)))


def test_what_is_refused_says_what_was_found(tmp_path):
    path = tmp_path / "a.jpg"

    def refusal(content: bytes) -> str:
        path.write_bytes(content)
        with pytest.raises(ValueError) as error:
            read_image(path)
        message = str(error.value)
        assert message.startswith(f"{path}: ") and "0x" not in message and "Error" not in message
        return message

    assert "15 bytes, the first are b'<!DOCTYPE html>', expected a whole image" in refusal(b"<!DOCTYPE html>")
    assert "0 bytes, the first are b''" in refusal(b"")
    file = io.BytesIO()
    pil.fromarray(PIXELS.repeat(20, 0).repeat(20, 1)).save(file, "JPEG")
    assert "JPEG of 120 x 80 pixels (RGB) that cannot be decoded" in refusal(file.getvalue()[:-900])
    header = struct.pack("<HHHHHH", 0, 0, 0, 0, 0, 0)
    assert "pixels" in refusal(b"P6 60000 60000 255\n" + header)


def test_a_file_that_cannot_be_opened_does_not_hide_the_others(tmp_path):
    message = (
        f"{tmp_path / 'none'}: cannot be opened (No such file or directory), expected a file that can be read"
    )
    assert try_image(tmp_path / "none", None, 3) == message
