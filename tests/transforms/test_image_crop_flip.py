"""Random crops and flips of images."""

import numpy as np
import pytest
import torch
from torch_geometric.transforms import Compose

from ccnn_geo.transforms import RandomCrop, RandomFlip
from tests.transforms.draws import assert_seeds_decide


def image(height: int = 6, width: int = 5) -> torch.Tensor:
    return torch.arange(2.0 * height * width).view(2, height, width)


@pytest.mark.parametrize(("padding", "size"), [(4, None), (0, (3, 2)), (2, 7), (5, (1, 15)), (0, None)])
def test_crops_are_windows_of_the_padded_image(padding, size):
    whole = image()
    padded = np.pad(whole.numpy(), ((0, 0), (padding, padding), (padding, padding)), "symmetric")
    height, width = (6, 5) if size is None else (size, size) if isinstance(size, int) else size
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), (1, 2))
    windows = {w.tobytes() for row in windows.transpose(1, 2, 0, 3, 4) for w in row.copy()}
    crop = RandomCrop(padding, size)
    drawn = [crop(whole) for _ in range(3000)]
    assert all(d.shape == (2, height, width) and d.is_contiguous() for d in drawn)
    assert {d.numpy().tobytes() for d in drawn} == windows  # all of them, and nothing else
    assert torch.equal(whole, image())


def test_all_places_are_equally_probable():
    crop = RandomCrop(size=(6, 3))
    starts = torch.stack([crop(image())[0, 0, 0] for _ in range(3000)]).long().bincount()
    assert len(starts) == 3 and (starts / 3000 - 1 / 3).abs().max() < 0.05


def test_flips_exchange_left_and_right():
    assert torch.equal(RandomFlip(1)(image())[1, 2], image()[1, 2].flip(0))
    assert torch.equal(RandomFlip(0)(image()), image())
    flipped = [not torch.equal(RandomFlip()(image()), image()) for _ in range(1000)]
    assert abs(np.mean(flipped) - 0.5) < 0.06


@pytest.mark.parametrize("transform", [RandomCrop, RandomFlip])
def test_generators_and_global_seed(transform):
    def run(**kwargs):
        once = transform(**kwargs) if transform is RandomFlip else transform(3, **kwargs)
        return torch.stack([once(image()) for _ in range(20)])

    assert_seeds_decide(run)


def test_on_other_devices_and_types(device):
    whole = image().to(device, torch.float16)
    crop = RandomCrop(6, 5)(whole[:, :, :5].repeat(1, 1, 2))
    assert crop.device == whole.device and crop.dtype == torch.float16


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RandomCrop(-1), "padding >= 0"),
        (lambda: RandomCrop(size=0), "size of at least 1"),
        (lambda: RandomCrop(size=(1, 2, 3)), "size of at least 1"),
        (lambda: RandomCrop(6)(image()), r"\[2, 6, 5\] with padding 6 is too small for \[6, 5\]"),
        (lambda: RandomCrop(size=7)(image()), r"too small for \[7, 7\]"),
        (lambda: RandomCrop(1)(image()[None]), r"expected a grid \[C, H, W\], got \[1, 2, 6, 5\]"),
        (lambda: RandomFlip(1.1), "0 <= p <= 1"),
        (lambda: RandomFlip()(image()[0]), r"expected a grid \[C, H, W\], got \[6, 5\]"),
    ],
)
def test_wrong_arguments(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_pipeline_and_reprs():
    assert Compose([RandomCrop(4), RandomFlip()])(image()).shape == (2, 6, 5)
    assert repr(RandomCrop(4)) == "RandomCrop(padding=4, size=None)"
    assert repr(RandomCrop(size=3)) == "RandomCrop(padding=0, size=(3, 3))"
    assert repr(RandomFlip()) == "RandomFlip(p=0.5)"
