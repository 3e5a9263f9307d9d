"""Images with a class for each pixel: where masks lie, which numbers are classes, and what moves with an image."""

import numpy as np
import pytest
import torch

from ccnn_geo.datasets import ImageFolder
from ccnn_geo.io.image import read_mask, write_mask
from ccnn_geo.training.data.grids import GridAugmentation, GridsDataModule
from ccnn_geo.training.seeds import local_seed
from ccnn_geo.transforms.pipelines.base import make_pipeline

pil = pytest.importorskip("PIL.Image")


def numbers(path):
    with pil.open(path) as image:
        return np.array(image).astype(int)


def write_pair(folder, name, seed, shape=(6, 8), numbers=(0, 1, 2, 255)):
    """A grey image, ten times the number of its mask, and the mask."""
    mask = np.random.default_rng(seed).choice(numbers, shape).astype(np.uint8)
    for place in ("images", "masks"):
        (folder / place / name).parent.mkdir(parents=True, exist_ok=True)
    pil.fromarray((mask.astype(int) * 10 % 251).astype(np.uint8)).save(folder / f"images/{name}.bmp")
    pil.fromarray(mask).save(folder / f"masks/{name}.png")
    return mask


@pytest.fixture
def root(tmp_path):
    for split, count in (("train", 6), ("val", 2)):
        for i in range(count):
            write_pair(tmp_path / split, f"{i}", 10 * count + i)
    return tmp_path


def test_labels_are_the_numbers_of_the_masks(root):
    data = ImageFolder(root, "validation", channels=1)
    assert data.classes == ["0", "1", "2"] and data.names == ["val/images/0.bmp", "val/images/1.bmp"]
    assert ImageFolder.truths(root, {}) == ("segmentation", "node")
    for i, (image, labels) in enumerate(data):
        mask = numbers(root / f"val/masks/{i}.png")
        np.testing.assert_array_equal(labels, np.where(mask == 255, -1, mask))
        shown = (image * data.std[0] + data.mean[0]) * 255
        np.testing.assert_allclose(shown[0], mask.astype(int) * 10 % 251, atol=1e-3)


def test_names_and_what_is_ignored(root):
    (root / "classes.txt").write_text("ground\nwater\nroof\n")
    assert ImageFolder(root).classes == ["ground", "water", "roof"]
    given = {2: "roof", 0: "ground", 255: "edge"}
    some = ImageFolder(root, classes=given, ignored=1)
    assert some.classes == ["ground", "roof", "edge"] and some.pipeline.codes == (0, 2, 255)
    mask = numbers(root / "train/masks/0.png")
    np.testing.assert_array_equal(some[0][1], np.select([mask == 0, mask == 2, mask == 255], [0, 1, 2], -1))


@pytest.mark.parametrize("where", ["flat", "images first", "below"])
def test_other_places(tmp_path, where):
    folders = {
        "flat": [""] * 10,
        "images first": ["train/"] * 7 + ["test/"] * 3,
        "below": ["a/"] * 5 + ["b/"] * 5,
    }
    for i, folder in enumerate(folders[where]):
        write_pair(tmp_path, f"{folder}{i}", i)
    if where == "images first":
        parts = {split: ImageFolder(tmp_path, split) for split in ("train", "test")}
        assert {split: len(part) for split, part in parts.items()} == {"train": 7, "test": 3}
    else:
        with pytest.warns(UserWarning, match=r"10 files are split by their names, .*: 6 train, 2 valid"):
            parts = {split: ImageFolder(tmp_path, split) for split in ("train", "validation", "test")}
    names = [name for part in parts.values() for name in part.names]
    assert sorted(names) == sorted(f"images/{folder}{i}.bmp" for i, folder in enumerate(folders[where]))
    for part in parts.values():
        for name, (_, labels) in zip(part.names, part, strict=True):
            mask = numbers(tmp_path / name.replace("images", "masks", 1).replace("bmp", "png"))
            np.testing.assert_array_equal(labels, np.where(mask == 255, -1, mask))


def test_a_mask_goes_where_its_image_goes(root):
    """Every grey value has one label: it still has it after cropping and mirroring."""
    data = GridsDataModule("image_folder", str(root), {"channels": 1}, GridAugmentation(crop=3, flip=True))
    data.setup("fit")
    plain = ImageFolder(root, channels=1)
    label_of = {
        round(float(x), 4): int(y)
        for image, labels in plain
        for x, y in zip(image.flatten(), labels.flatten(), strict=True)
    }
    moved = 0
    for epoch in range(4):
        for i in range(len(plain)):
            image, labels = data.train_set[(epoch, i)]
            assert labels.dtype == torch.int64 and labels.shape == image.shape[1:]
            found = [label_of[round(float(x), 4)] for x in image.flatten()]
            assert found == labels.flatten().tolist()
            moved += not torch.equal(image, plain[i][0])
    assert moved > 12
    with local_seed(0):
        shares = data.class_shares()
    counts = np.bincount(np.concatenate([y[y >= 0] for _, y in plain]))
    np.testing.assert_allclose(shares, counts / counts.sum())


def test_only_what_moves_pixels_may_change_them(root):
    for augment in (GridAugmentation(noise=(10.0, 20.0)), GridAugmentation(shift=2)):
        with pytest.raises(ValueError, match=r"data\.augment: expected crop and flip"):
            GridsDataModule("image_folder", str(root), None, augment).check()


def test_masks_are_cropped_as_images_are(tmp_path):
    """Without mixing: blocks of one number, three times as large as wanted."""
    for i in range(3):
        mask = write_pair(tmp_path / "train", str(i), i, (4, 4), (0, 1))
        large = np.pad(mask, ((0, 0), (1, 1)), constant_values=7).repeat(3, 0).repeat(3, 1)
        for folder, name in (("images", f"{i}.bmp"), ("masks", f"{i}.png")):
            pil.fromarray(large).save(tmp_path / "train" / folder / name)
        image, labels = ImageFolder(tmp_path, size=4, channels=1, classes=["no", "yes"], ignored=7)[
            i if i == 0 else 0
        ]
        np.testing.assert_array_equal(labels, numbers(tmp_path / "train/masks/0.png")[1::3, 4:-3:3])
        assert image.shape == (1, 4, 4)


def test_a_network_sees_an_image_as_a_whole(root):
    data = ImageFolder(root, size=(3, 4))
    pipeline = make_pipeline(data.pipeline.settings())
    whole = pipeline.read(root / "train/images/0.bmp")
    assert whole.shape == (3, 6, 8) and torch.equal(pipeline(whole), data[0][0])
    assert pipeline(torch.zeros(3, 6, 16, dtype=torch.uint8)).shape == (3, 3, 8)  # covered, not cropped
    assert pipeline.spacing == pytest.approx(2 / 3)


def cut(root):
    path = root / "train/masks/1.png"
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda root: (root / "train/masks/3.png").unlink(), {}, "1 of 6 images have no mask, such as"),
        (lambda root: write_mask(root / "train/masks/3.png", np.zeros((6, 9))), {}, r"6 x 9 pixels, expected 6 x 8"),
        (lambda root: pil.new("RGB", (8, 6)).save(root / "train/masks/3.png"), {}, "mode RGB, expected a palette"),
        (cut, {}, r"1\.png: PNG that cannot be decoded, expected a whole image"),
        (lambda root: None, {"classes": ["a", "b"]}, "has the number 2, expected some of 0 a, 1 b, or 255"),
        (lambda root: None, {"classes": {0: "a", 300: "b"}}, "by number from 0 to 255, got 300"),
        (lambda root: [write_mask(p, np.full((6, 8), 255)) for p in root.glob("*/masks/*")], {}, "option 'ignored'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(root, change, options, message):
    change(root)
    with pytest.raises(ValueError, match=message):
        ImageFolder(root, **options)


def test_numbers_survive_a_file(tmp_path):
    mask = np.arange(256, dtype=np.uint8).reshape(8, 32)
    write_mask(tmp_path / "a.png", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), mask)
    with pil.open(tmp_path / "a.png") as image:
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) == 256 and colours[1].tolist() == [128, 0, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a\n\nb\nc\n", "classes.txt: line 2 is empty"),
        (b"a\nb\na\n", "the class 'a' more than once"),
        (b"Fu\xdf\nb\nc\n", "classes.txt: expected text in UTF-8"),
        (b"a\n" * 257, "257 names, expected at most 256"),
    ],
)
def test_names_that_fit_no_numbers(root, text, words):
    (root / "classes.txt").write_bytes(text)
    with pytest.raises(ValueError, match=words):
        ImageFolder(root)


def test_masks_that_leave_it_open(root):
    """Two for one image, or one whose numbers its format has changed."""
    mask = pil.open(root / "train/masks/0.png")
    mask.save(root / "train/masks/0.bmp")
    with pytest.raises(ValueError, match=r"0.png and 0.bmp, expected one|0.bmp and 0.png, expected one"):
        ImageFolder(root)
    (root / "train/masks/0.bmp").unlink()
    (root / "train/masks/0.png").unlink()
    mask.save(root / "train/masks/0.jpg")
    with pytest.raises(ValueError, match=r"0.jpg: a JPEG, which alters labels"):
        ImageFolder(root)
