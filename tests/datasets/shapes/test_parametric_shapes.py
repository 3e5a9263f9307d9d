from collections import Counter

import numpy as np
import pytest
import torch

from ccnn_geo.datasets import PARAMETRIC_CLASSES, ParametricShapes, parametric_mesh
from ccnn_geo.io import read_shape


def edges(faces: np.ndarray) -> Counter:
    return Counter(
        map(tuple, np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist())
    )


@pytest.mark.parametrize("name", PARAMETRIC_CLASSES)
def test_meshes_are_closed_and_face_outwards(name):
    for seed in range(5):
        vertices, faces = parametric_mesh(name, np.random.default_rng(seed))
        # closed and consistently oriented: every edge once in either direction (triangles of no area aside,
        # which a profile that starts on the axis has)
        _, first = np.unique(vertices.round(9), axis=0, return_inverse=True)
        faces = first.reshape(-1)[faces]
        faces = faces[[len(set(f)) == 3 for f in faces.tolist()]]
        count = edges(faces)
        assert all(count[b, a] == n for (a, b), n in count.items())
        vertices = np.array([vertices[first.reshape(-1) == i][0] for i in range(first.max() + 1)])
        a, b, c = vertices[faces].swapaxes(0, 1)
        assert (a * np.cross(b, c)).sum() > 0
        assert np.isfinite(vertices).all()


def test_unknown_family():
    with pytest.raises(ValueError, match="no family 'teapot', expected one of chair"):
        parametric_mesh("teapot", np.random.default_rng(0))


def test_files_are_real_and_repeatable(tmp_path):
    sizes = {"train_per_class": 2, "test_per_class": 1, "num_samples": 64, "num_points": 64}
    a = ParametricShapes(tmp_path / "a", "train", **sizes)
    b = ParametricShapes(tmp_path / "b", "train", **sizes)
    test = ParametricShapes(tmp_path / "a", "test", **sizes)
    other = ParametricShapes(tmp_path / "a", "train", shape_seed=1, **sizes)
    assert len(a) == 20 and len(test) == 10 and a.classes == list(PARAMETRIC_CLASSES)
    assert all(torch.equal(x.pos, y.pos) for x, y in zip(a, b, strict=True))
    assert not any(torch.equal(x.pos, y.pos) for x, y in zip(a, other, strict=True))
    train_files = [read_shape(p).vertices for p in sorted((a.folder / "train").glob("*/*.off"))]
    test_files = [read_shape(p).vertices for p in sorted((a.folder / "test").glob("*/*.off"))]
    assert len(train_files) == 20 and len(test_files) == 10
    assert not any(x.shape == y.shape and np.allclose(x, y) for x in train_files for y in test_files)


def test_refuses(tmp_path):
    with pytest.raises(ValueError, match="'train' or 'test'"):
        ParametricShapes(tmp_path, "validation")
    with pytest.raises(ValueError, match="one shape or more"):
        ParametricShapes(tmp_path, test_per_class=0)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("parametric")


@pytest.fixture(scope="module")
def both(root):
    """As many shapes as by default, with fewer points."""
    return tuple(
        ParametricShapes(root, split, num_samples=512, num_points=512) for split in ("train", "test")
    )


def moments(dataset) -> np.ndarray:
    """First, second and third moments of each cloud ``[samples, 19]``."""
    rows = []
    for data in dataset:
        p = data.pos.double().numpy()
        second = np.einsum("ni,nj->ij", p, p)[np.triu_indices(3)] / len(p)
        third = np.einsum("ni,nj,nk->ijk", p, p, p) / len(p)
        index = [(i, j, k) for i in range(3) for j in range(i, 3) for k in range(j, 3)]
        rows.append(np.concatenate([p.mean(0), second, [third[i] for i in index]]))
    return np.array(rows)


def logistic(x, y, x_test, l2) -> np.ndarray:
    x, x_test = (torch.tensor(np.column_stack([v, np.ones(len(v))])) for v in (x, x_test))
    weight = torch.zeros(x.size(1), 10, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ weight, torch.tensor(y)) + l2 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return (x_test @ weight).argmax(1).numpy()


def discriminant(x, y, x_test) -> np.ndarray:
    mean = np.array([x[y == c].mean(0) for c in range(10)])
    inverse = np.linalg.inv(np.cov((x - mean[y]).T) + 1e-3 * np.eye(x.shape[1]))
    return (x_test @ inverse @ mean.T - 0.5 * np.einsum("ci,ij,cj->c", mean, inverse, mean)).argmax(1)


def test_linear_models_on_moments_do_not_solve_it(both):
    train, test = both
    x, x_test, y, target = moments(train), moments(test), train.y.numpy(), test.y.numpy()
    x, x_test = (x - x.mean(0)) / x.std(0), (x_test - x.mean(0)) / x.std(0)
    accuracy = {f"logistic {l2}": (logistic(x, y, x_test, l2) == target).mean() for l2 in (1e-4, 1e-2)}
    accuracy["discriminant"] = (discriminant(x, y, x_test) == target).mean()
    assert 0.1 < max(accuracy.values()) < 0.5, accuracy


def test_local_shape_tells_the_classes_apart(both):
    """What moments miss is there: angles between normals at several distances, no learning but a discriminant."""

    def describe(dataset):
        rows = []
        for data in dataset:
            pos, normal = data.pos[:160], data.normal[:160]
            distance, cosine = torch.cdist(pos, pos), normal @ normal.T
            edge = torch.tensor([0.02, 0.1, 0.2, 0.4, 0.7, 1.1, 2.1])
            bins = torch.bucketize(distance, edge) * 7 + ((cosine + 1) * 3.5).long().clamp(0, 6)
            rows.append((bins.flatten().bincount(minlength=56) / distance.numel()).sqrt())
        return torch.stack(rows).double().numpy()

    train, test = both
    x, x_test = describe(train), describe(test)
    use = x.std(0) > 1e-6
    scale = x[:, use].std(0)
    found = discriminant(x[:, use] / scale, train.y.numpy(), x_test[:, use] / scale)
    assert (found == test.y.numpy()).mean() > 0.7


def test_default_sizes(both, root):
    assert [len(d) for d in both] == [600, 200]
    assert [d.y.bincount().tolist() for d in both] == [[60] * 10, [20] * 10]
    test = ParametricShapes(root, "test")
    assert test.folder == both[1].folder and test[0].num_nodes == 512
    assert test.processed_file.stat().st_size / 200 < 25_000
