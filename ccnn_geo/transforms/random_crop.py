"""Augmentation: images cropped at random positions."""

import torch
from torch import Generator, Tensor

from ccnn_geo.transforms._grids import check_grid


class RandomCrop:
    """Crops an image at a random position, after mirroring its edges outwards.

    The mirror image includes the edge pixels (``b a | a b c``, symmetric padding). It needs no fill value, so it works
    before or after normalisation. ``RandomCrop(4)`` is the usual augmentation for CIFAR.

    Args:
        padding: pixels to add on each side first.
        size: (H, W) of the crop, or one number for both (default: the original size of the image).
        generator: source of randomness (default: torch's global one).

    Shapes:
        ``[C, H, W] -> [C, size[0], size[1]]``.

    Raises:
        ValueError: for sizes below 1, a negative padding or one larger than the image, or an image smaller than the
            crop.

    Example:
        >>> RandomCrop(padding=4)(torch.rand(3, 32, 32)).shape
        torch.Size([3, 32, 32])
    """

    def __init__(
        self,
        padding: int = 0,
        size: int | tuple[int, int] | None = None,
        generator: Generator | None = None,
    ) -> None:
        size = (size, size) if isinstance(size, int) else size
        if padding < 0 or (size is not None and (len(size) != 2 or min(size) < 1)):
            raise ValueError(f"expected padding >= 0 and a size of at least 1, got {padding} and {size}")
        self.padding = padding
        self.size = size
        self.generator = generator

    def __call__(self, image: Tensor) -> Tensor:
        check_grid("RandomCrop", image, "C, H, W")
        padding, sizes = self.padding, self.size or image.shape[1:]
        for axis, size in enumerate(sizes, start=1):
            length = image.size(axis)
            room = length + 2 * padding - size
            if padding > length or room < 0:
                raise ValueError(
                    f"RandomCrop: {list(image.shape)} with padding {padding} is too small for {list(sizes)}"
                )
            start = int(torch.randint(room + 1, (), generator=self.generator)) - padding
            if 0 <= start <= length - size:
                image = image.narrow(axis, start, size)
            else:
                place = torch.arange(start, start + size, device=image.device)
                place = torch.where(place < 0, -1 - place, place)
                image = image.index_select(axis, torch.where(place < length, place, 2 * length - 1 - place))
        return image.contiguous()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(padding={self.padding}, size={self.size})"
