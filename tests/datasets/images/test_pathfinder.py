"""Pathfinder as it is made: labels that the drawing bears out, against the real recipe, and a step of training."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.utils.data import DataLoader

from ccnn_geo.datasets.images import pathfinder_images, pathfinder_scenes
from ccnn_geo.datasets.images.pathfinder import SPLITS, Pathfinder, Pathfinder2D
from ccnn_geo.datasets.images.pathfinder_drawing import Drawing
from ccnn_geo.datasets.images.pathfinder_images import draw, generate_images
from ccnn_geo.datasets.images.pathfinder_scenes import CHUNK, make_scenes
from tests.datasets.few_steps import losses_of_few_steps
from tests.datasets.images.pathfinder_on_disk import write_release


@pytest.fixture(scope="module")
def published():
    """Scenes of the published drawing, and their images."""
    scenes = make_scenes(0, 0, Drawing())
    return scenes, draw(scenes, Drawing())


@pytest.fixture
def chunks(monkeypatch):
    """Chunks of another size, which draw as many images as a test needs."""

    def of(size: int) -> None:
        for module in (pathfinder_images, pathfinder_scenes):
            monkeypatch.setattr(module, "CHUNK", size)

    return of


def test_generated_at_another_size(tmp_path):
    """A configuration's mapping means the drawing of that size; sequences are its images, row by row."""
    given = {"size": 16, "contour": 3, "dash": 2.0, "distance": 5.0, "clearance": 2.0}  # with room
    plane = Pathfinder2D(tmp_path, generate=20, drawing=given, num_workers=0)
    flat = Pathfinder(tmp_path, generate=20, drawing=Drawing.of_size(**given), num_workers=0)
    assert plane.size == (16, 16) and flat.size == (256,)
    images, y = next(generate_images(20, 16, 0, Drawing.of_size(**given), 0))
    assert torch.equal(plane[5][0], torch.from_numpy(images[plane._index[5]][None]).float() / 255)
    assert (
        torch.equal(flat[5][0].view(1, 16, 16), plane[5][0]) and plane.y.tolist() == y[plane._index].tolist()
    )


def test_generated(tmp_path, chunks):
    chunks(40)
    data = Pathfinder(tmp_path, generate=60, num_workers=0)
    (images,) = (tmp_path / "processed/lra").glob("*-images.npy")
    stamp = images.stat().st_mtime_ns
    again = Pathfinder2D(tmp_path, "test", generate=60)  # the same images
    assert (len(data), len(again)) == (48, 6) and images.stat().st_mtime_ns == stamp
    placed = Pathfinder(tmp_path, file=images)
    assert torch.equal(placed[9][0], data[9][0])
    images.write_bytes(images.read_bytes()[:-5])
    with pytest.raises(ValueError, match="damaged"):
        Pathfinder(tmp_path, generate=60)


def test_seeds_decide_and_workers_do_not(sent, chunks):
    chunks(30)
    alone = [np.concatenate(part) for part in zip(*generate_images(50, num_workers=0), strict=True)]
    asked = sent(pathfinder_images)
    together = [np.concatenate(part) for part in zip(*generate_images(50, num_workers=2), strict=True)]
    assert asked == [2]
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
    (fewer,) = generate_images(20)
    assert np.array_equal(fewer[0], alone[0][:20]) and np.array_equal(fewer[1], alone[1][:20])
    (other,) = generate_images(20, seed=1)
    assert not np.array_equal(other[0], fewer[0])


def connected(scenes, i, gap):
    """Follows the dashes from the first disc, over gaps of the drawn width, and says whether it comes to the second."""
    dashes = scenes.dashes[i][scenes.owner[i] >= 0]
    start = np.linalg.norm(dashes - scenes.discs[i, 0], axis=-1).min(1).argmin()
    goal = np.linalg.norm(dashes - scenes.discs[i, 1], axis=-1).min(1).argmin()
    seen, todo = {start}, [start]
    while todo:
        ends = dashes[todo.pop()]
        near = np.linalg.norm(dashes[:, :, None] - ends, axis=-1).min((1, 2)) < 1.01 * gap
        todo += (new := set(np.flatnonzero(near)) - seen)
        seen |= new
    return goal in seen


@pytest.mark.parametrize(("size", "grow", "num"), [(32, 0, CHUNK), (64, 0, 100), (128, 1, 100)])
def test_following_the_path_solves_the_task(size, grow, num, published, chunks):
    drawing = Drawing.of_size(size)
    scenes, images = published
    if num != CHUNK:
        chunks(num)
        scenes = make_scenes(0, 0, drawing)
        images = draw(scenes, drawing)
    assert images.shape == (num, size, size) and scenes.y.sum() == num // 2
    assert [connected(scenes, i, drawing.gap) for i in range(num)] == scenes.y.astype(bool).tolist()
    # in the image alone: patches of ink, where what is nearer than a gap hangs together
    right = 0
    for image, discs, label in zip(images, scenes.discs, scenes.y, strict=True):
        ink = ndimage.binary_dilation(image > 20, np.ones((2 * grow + 1,) * 2))
        patches, _ = ndimage.label(ink, np.ones((3, 3)))
        first, second = (patches[tuple(np.rint(disc).astype(int))] for disc in discs)
        assert first > 0 < second
        right += (first == second) == bool(label)
    assert right >= 0.97 * num


def test_labels_do_not_show_without_the_contours(published):
    scenes, images = published
    images = images.astype(float)
    mean = [images[scenes.y == i].mean((1, 2)) for i in (0, 1)]
    assert abs(mean[0].mean() - mean[1].mean()) < 4 * images.mean((1, 2)).std() / np.sqrt(CHUNK / 2)
    apart = np.linalg.norm(scenes.discs[:, 0] - scenes.discs[:, 1], axis=1)
    assert abs(apart[scenes.y == 0].mean() - apart[scenes.y == 1].mean()) < 4 * apart.std() / np.sqrt(
        CHUNK / 2
    )


def discs_in(images):
    """Number of discs on each image: patches where two by two pixels are nearly white."""
    white = ndimage.uniform_filter(images.astype(float), (0, 2, 2)) > 200
    return np.array([ndimage.label(ndimage.binary_dilation(one, np.ones((3, 3))))[1] for one in white])


def test_against_images_of_the_real_recipe(shared, published):
    with np.load(shared("pathfinder32.npz")) as given:
        real, y = given["x"], given["y"]
    images, labels = published[1], published[0].y
    assert abs(images.mean() / real.mean() - 1) < 0.1
    assert abs(images.std() / real.std() - 1) < 0.1
    assert abs((images > 64).mean() / (real > 64).mean() - 1) < 0.15
    assert (discs_in(real[:500]) == 2).mean() > 0.9 and (discs_in(images) == 2).all()
    assert abs(y.mean() - 0.5) < 0.05 and labels.mean() == 0.5


def test_real_images(tmp_path, shared):
    path = shared("pathfinder32.npz")
    with np.load(path) as given:
        x, y, split = (given[name] for name in ("x", "y", "split"))
    for i, name in enumerate(SPLITS):
        data = Pathfinder2D(tmp_path, name, file=path)
        stacked = torch.cat([data[k][0] for k in range(len(data))])
        assert torch.equal(stacked, torch.from_numpy(x[split == i]).float() / 255)
        assert data.y.tolist() == y[split == i].tolist()
    write_release(tmp_path, x[:200], y[:200], per_file=50)
    data = Pathfinder(tmp_path, check_counts=False)
    assert np.array_equal(data.values, x[:200]) and data.y.tolist() == y[data._index].tolist()


def test_settings(chunks):
    assert Drawing.of_size(128).contour == 14 and Drawing.of_size(32) == Drawing()
    half = Drawing.of_size(96, contour=6)
    assert (half.size, half.contour, half.dash) == (96, 6, 3.75)
    chunks(50)
    assert make_scenes(0, 0, half).y.shape == (50,)
    with pytest.raises(ValueError, match="positive numbers"):
        Drawing(gap=0)
    with pytest.raises(ValueError, match=r"at least gap \+ thickness \+ 1"):
        Drawing(clearance=2)
    with pytest.raises(ValueError, match="no room for contours"):
        Drawing(size=12)
    with pytest.raises(ValueError, match="of 1000 attempts found room"):
        make_scenes(0, 0, Drawing(contour=60))


@pytest.mark.parametrize("cls", [Pathfinder, Pathfinder2D])
def test_a_training_step(tmp_path, published, cls):
    np.savez(tmp_path / "x.npz", x=published[1][:100], y=published[0].y[:100].astype(np.uint8))
    data = cls(tmp_path, file=tmp_path / "x.npz")
    x, y = next(iter(DataLoader(data, batch_size=4)))
    losses = losses_of_few_steps(x, y, 2)
    assert min(losses[1:]) < losses[0]
