"""Reads images and label images from untrusted files; writes label images."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ccnn_geo._base.extras import needs
from ccnn_geo.io.files.storage import write_atomic

if TYPE_CHECKING:
    from PIL.Image import Image

EXTENSIONS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
"""Extensions of images."""

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # no others: some run programs
_MAX_PIXELS = 2**26
_ORIENTATION = 0x0112
"""EXIF tag with the orientation of the camera."""

_PIXELS_PER_BYTE = {"PNG": 8 * 1032, "JPEG": 1024, "GIF": 4096, "BMP": 256, "PPM": 8}
"""Most pixels per byte that these formats can encode; a file that claims more is cut off and would waste memory."""


def read_image(path: Path, size: tuple[int, int] | None = None, channels: int = 3) -> np.ndarray:
    """Reads an image file as bytes ``[channels, H, W]``; needs Pillow. For an animation, the first picture.

    The image is rotated as its camera says, if that can be read. Transparency is dropped, 16 bits per colour become 8.

    Args:
        path: The file; its content, not its name, decides the format.
        size: (H, W): the image is scaled to cover it, bilinearly with antialiasing, and cropped around its centre.
        channels: 3 for colour, 1 for grey.

    Raises:
        ImportError: If Pillow is not installed.
        OSError: If the file cannot be opened.
        ValueError: If the file is not an image, is damaged, or has more than 67 million pixels or grey values that are
            not 8 bits.
    """
    with needs("data", "read_image"):
        from PIL import ImageOps  # noqa: F401 (used below)

    content = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about files that are refused or repaired
        with _opened(path, content) as image:
            _check(path, image, len(content))
            try:
                upright = _turned(image).convert("L" if channels == 1 else "RGB")
            except Exception as error:  # hostile files raise errors of many types
                raise ValueError(
                    f"{path}: {image.format} of {image.width} x {image.height} pixels ({image.mode}) that cannot be "
                    f"decoded, expected a whole image; its {len(content)} bytes are damaged or cut off"
                ) from error
            return _fitted(upright, size)


def fit_image(
    image: np.ndarray | Image, size: tuple[int, int] | None = None, channels: int = 3
) -> np.ndarray:
    """Converts an image in memory to bytes ``[channels, H, W]``, as :func:`read_image` does; needs Pillow.

    Args:
        image: An array ``[H, W]``, ``[H, W, 3]`` or ``[H, W, 4]`` of bytes, or a Pillow image.
        size: (H, W): the image is scaled to cover it, bilinearly with antialiasing, and cropped around its centre.
        channels: 3 for colour, 1 for grey.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If the array has a different shape or type.
        TypeError: If it is neither an array nor a Pillow image.
    """
    with needs("data", "fit_image"):
        from PIL import Image
    if isinstance(image, np.ndarray):
        depth = image.shape[2] if image.ndim == 3 else 1
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or depth not in (1, 3, 4) or 0 in image.shape:
            raise ValueError(
                f"image: expected bytes [H, W], [H, W, 3] or [H, W, 4], got {list(image.shape)} of {image.dtype}"
            )
        image = Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2:] == (1,) else image))
    if not isinstance(image, Image.Image):
        raise TypeError(f"image: expected an array or a Pillow image, got {type(image).__name__}")
    return _fitted(image.convert("L" if channels == 1 else "RGB"), size)


def read_mask(path: Path) -> np.ndarray:
    """Reads a label image as bytes ``[H, W]``: the palette index or grey value of each pixel; needs Pillow.

    Args:
        path: The file; its content, not its name, decides the format.

    Raises:
        ImportError: If Pillow is not installed.
        OSError: If the file cannot be opened.
        ValueError: As :func:`read_image`, and for a colour image or a JPEG.
    """
    with needs("data", "read_mask"):
        from PIL import Image  # noqa: F401 (used below)

    content = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _opened(path, content) as image:
            _check(path, image, len(content))
            if image.format == "JPEG":
                raise ValueError(
                    f"{path}: a JPEG, which alters labels; expected a PNG or another lossless format"
                )
            if image.mode not in ("P", "L", "1"):
                raise ValueError(
                    f"{path}: pixels of mode {image.mode}, expected a palette or grey values, which number the classes"
                )
            try:
                return np.array(_turned(image)).astype(np.uint8)
            except Exception as error:  # hostile files raise errors of many types
                raise ValueError(
                    f"{path}: {image.format} that cannot be decoded, expected a whole image"
                ) from error


def fit_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scales and crops labels to bytes ``[H, W]`` as :func:`fit_image` does, without mixing them."""
    from PIL import Image, ImageOps

    fitted = ImageOps.fit(Image.fromarray(mask), (size[1], size[0]), Image.Resampling.NEAREST)
    return np.array(fitted)


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Writes labels ``[H, W]``, bytes, as a PNG with a palette; neighbouring numbers differ in colour."""
    with needs("data", "write_mask"):
        from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(mask, np.uint8)).convert("P")
    image.putpalette([channel for number in range(256) for channel in _colour(number)])
    write_atomic(path, lambda file: image.save(file, "PNG"))


def _colour(number: int) -> tuple[int, int, int]:
    """Red, green and blue of a label: its lowest bits become the highest of the channels, as in the masks of VOC."""
    channels = [0, 0, 0]
    for bit in range(8):
        channels[bit % 3] |= (number >> bit & 1) << (7 - bit // 3)
    return channels[0], channels[1], channels[2]


def _fitted(image: Image, size: tuple[int, int] | None) -> np.ndarray:
    """Bytes ``[C, H, W]`` of a grey or coloured image, scaled and cropped to a size."""
    from PIL import Image, ImageOps

    if size is not None:
        image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.array(image)  # a writable copy
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


def _opened(path: Path, content: bytes) -> Image:
    from PIL import Image

    try:  # from memory: an open file would allocate what its header claims
        return Image.open(io.BytesIO(content), formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: far too many pixels, expected at most {_MAX_PIXELS}") from error
    except Exception as error:
        raise ValueError(
            f"{path}: {len(content)} bytes, the first are {content[:16]!r}, expected a whole image, one of "
            f"{', '.join(_FORMATS)}"
        ) from error


def _check(path: Path, image: Image, size: int) -> None:
    most = min(_MAX_PIXELS, size * _PIXELS_PER_BYTE.get(image.format or "", _MAX_PIXELS))
    if image.width * image.height > most:
        raise ValueError(
            f"{path}: {image.width} x {image.height} pixels in {size} bytes, expected at most {most}"
        )
    if image.mode[0] in "IF":
        raise ValueError(f"{path}: pixels of mode {image.mode}, expected 8 bits per channel")


def _turned(image: Image) -> Image:
    """Rotates the image as its camera says. Reads this tag alone: others may be of types that none should have."""
    from PIL import Image

    image.load()  # first: this rotates the pixels of a TIFF
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # unreadable tags: no orientation
        return image
    turn = Image.Transpose
    turns = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image
