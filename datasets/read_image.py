"""Read an image file of a stranger."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
"""Files that are taken for images."""

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # no others: some run programs
_MAX_PIXELS = 2**26
_PIXELS_PER_BYTE = {"PNG": 8 * 1032, "JPEG": 1024, "GIF": 4096, "BMP": 256, "PPM": 8}
"""More than a byte of these can say; a file that claims them is cut, and would take much memory."""


def read_image(path: Path, size: tuple[int, int] | None = None, channels: int = 3) -> np.ndarray:
    """Bytes ``[channels, H, W]`` of an image file; needs Pillow. Of an animation the first picture.

    Turned as its camera says; transparency is dropped.

    Args:
        path: The file; its content, not its name, says what it is.
        size: (H, W): the image is scaled to cover it, bilinearly with antialiasing, and cropped around its centre.
        channels: 3 for colour, 1 for grey.

    Raises:
        ValueError: For a file that is no image, truncated, of more than 67 million pixels, or of pixels that are not
            of 8 bits.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is refused below, or repaired
            content = path.read_bytes()
            # from memory: a file would be asked for as much as its header claims
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                most = min(_MAX_PIXELS, len(content) * _PIXELS_PER_BYTE.get(image.format or "", _MAX_PIXELS))
                if image.width * image.height > most:
                    raise ValueError(
                        f"{image.width} x {image.height} pixels in {len(content)} bytes, expected at most {most}"
                    )
                if image.mode[0] in "IF":
                    raise ValueError(f"pixels of mode {image.mode}, expected 8 bits per channel")
                upright = ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")
                if size is not None:
                    upright = ImageOps.fit(upright, (size[1], size[0]), Image.Resampling.BILINEAR)
                pixels = np.asarray(upright)
    except Exception as error:  # decoders of hostile files raise anything
        raise ValueError(f"{path}: {type(error).__name__}: {error}") from error
    return np.ascontiguousarray(pixels[None] if channels == 1 else pixels.transpose(2, 0, 1))
