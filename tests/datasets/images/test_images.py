"""What data sets of images share: splits, normalisation, resizing, and sequences made of images."""

import pickle

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset, random_split

from ccnn_geo.datasets.images.cifar import CIFAR10
from ccnn_geo.datasets.images.images import ImageDataset, split_index


def make(**kwargs):
    images = torch.randint(256, (5, 2, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return images, ImageDataset(images, torch.arange(5), "abcde", (0.5, 0.2), (0.25, 0.5), **kwargs)


class Rows(ImageDataset):
    def arrange(self, image):
        return image.flatten(1)


def test_samples_are_normalised_per_channel():
    images, data = make()
    expected = (images / 255 - torch.tensor([0.5, 0.2]).view(2, 1, 1)) / torch.tensor([0.25, 0.5]).view(
        2, 1, 1
    )
    for i, (image, label) in enumerate(data):
        torch.testing.assert_close(image, expected[i], atol=1e-6, rtol=0)
        assert image.dtype == torch.float32 and label == i
    assert (data.in_channels, data.size, data.grid_shape) == (2, (4, 3), (2, 4, 3))


def test_sequences_are_augmented_as_images():
    images, plain = make()
    data = Rows(
        images, torch.arange(5), "abcde", (0.5, 0.2), (0.25, 0.5), transform=lambda image: image.flip(2)
    )
    assert data.grid_shape == (2, 12) and data.size == (12,)
    assert plain.pipeline is not None and data.pipeline is None  # which does not know that order
    assert torch.equal(data[1][0], plain[1][0].flip(2).flatten(1))
    part = data[[3, 1]]
    assert torch.equal(part[1][0], data[1][0]) and len(part) == 2
    x, y = next(iter(DataLoader(part, 2)))
    assert x.shape == (2, 2, 12) and y.tolist() == [3, 1]
    assert repr(part) == "Rows(2 samples [2, 12], 5 classes)"


def test_repr_and_shape_draw_no_random_numbers():
    _, data = make(transform=lambda image: image + torch.rand(()))
    state = torch.get_rng_state()
    repr(data), data.size
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("size", [(8, 6), (3, 2)])
def test_resized_images(size):
    _, data = make(size=size)
    assert data.size == size
    _, plain = make()
    resized = torch.nn.functional.interpolate(plain[2][0][None], size, mode="bilinear", antialias=True)[0]
    torch.testing.assert_close(data[2][0], resized, atol=1e-5, rtol=1e-5)  # both are linear


def test_samples_can_be_sent_to_workers():
    _, data = make(size=(8, 6))
    assert torch.equal(pickle.loads(pickle.dumps(data))[3][0], data[3][0])


def test_the_split_is_that_of_the_authors_code():
    everything = TensorDataset(torch.arange(50_000))
    parts = random_split(everything, [45_000, 5_000], generator=torch.Generator().manual_seed(42))
    torch.manual_seed(1)
    for split, part in zip(("train", "validation"), parts, strict=True):
        assert split_index(CIFAR10.info, split, 50_000).tolist() == sorted(part.indices)
    assert split_index(CIFAR10.info, "validation", 50_000)[:5].tolist() == VALIDATION


VALIDATION = [15, 18, 28, 40, 44]
"""The first of the validation images of CIFAR: held here, so that they cannot change unnoticed."""


@pytest.mark.parametrize("total", [2, 7, 30])
def test_fewer_samples_are_shared_out_alike(total):
    train, validation = (split_index(CIFAR10.info, split, total) for split in ("train", "validation"))
    assert sorted([*train.tolist(), *validation.tolist()]) == list(range(total))
    assert len(validation) == max(1, total // 10)
    assert split_index(CIFAR10.info, "test", total).tolist() == list(range(total))


def test_one_sample_cannot_be_shared_out():
    with pytest.raises(ValueError, match="1 training samples"):
        split_index(CIFAR10.info, "train", 1)
