"""SampleSurface, SampleShape, EstimateNormals and NormalizeSphere against analytic surfaces."""

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data
from torch_geometric.transforms import NormalizeScale

from ccnn_geo.transforms import EstimateNormals, NormalizeSphere, SampleShape, SampleSurface


def as_data(mesh: trimesh.Trimesh, dtype=torch.float64) -> Data:
    return Data(pos=torch.tensor(mesh.vertices, dtype=dtype), face=torch.tensor(mesh.faces.T.copy()))


def unit_sphere(num: int, seed: int = 0) -> torch.Tensor:
    points = torch.randn(num, 3, generator=torch.Generator().manual_seed(seed))
    return points / points.norm(dim=1, keepdim=True)


def test_faces_are_drawn_by_area():
    # a box of 1 x 2 x 3: opposite sides have areas 6, 3 and 2 of 22 in all
    torch.manual_seed(0)
    data = SampleSurface(40_000)(as_data(trimesh.creation.box(extents=[1, 2, 3])))
    share = (data.normal.abs() > 0.5).double().mean(0)
    expected = torch.tensor([12.0, 6, 4], dtype=torch.float64) / 22
    assert (share - expected).abs().max() < 4 * 0.5 / 40_000**0.5  # four standard errors at most


def test_points_are_uniform_within_a_triangle_and_on_it():
    torch.manual_seed(0)
    corners = torch.tensor([[0.0, 0, 1], [1, 0, 1], [0, 1, 1]])
    data = SampleSurface(20_000)(Data(pos=corners, face=torch.tensor([[0], [1], [2]])))
    x, y, z = data.pos.T
    assert (x >= 0).all() and (y >= 0).all() and (x + y <= 1 + 1e-6).all() and (z == 1).all()
    assert torch.equal(data.normal, torch.tensor([0.0, 0, 1]).expand_as(data.normal))
    # moments of the uniform distribution on the triangle: E x = 1/3, E x^2 = 1/6, E xy = 1/12
    moments = torch.stack([x.mean(), (x * x).mean(), (x * y).mean()])
    assert moments.tolist() == pytest.approx([1 / 3, 1 / 6, 1 / 12], abs=6e-3)


def test_normals_point_outwards_on_a_sphere():
    torch.manual_seed(0)
    data = SampleSurface(1000)(as_data(trimesh.creation.icosphere(subdivisions=4)))
    cosine = (data.normal * data.pos).sum(1) / data.pos.norm(dim=1)
    assert cosine.min() > 0.99
    assert data.normal.norm(dim=1).sub(1).abs().max() < 1e-12


def test_small_triangles_far_from_the_origin_keep_their_normals():
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    center = torch.tensor([5e5, 5.4e6, 100.0], dtype=torch.float64)
    data = as_data(sphere)
    data.pos = data.pos + center
    data = SampleSurface(500, torch.Generator().manual_seed(0))(data)
    direction = data.pos - center
    assert ((data.normal * direction).sum(1) / direction.norm(dim=1)).min() > 0.98


def test_faces_without_area_are_never_drawn():
    pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0]])
    face = torch.tensor([[0, 1, 3], [0, 1, 2], [3, 3, 3], [0, 3, 1]]).T
    data = SampleSurface(200)(Data(pos=pos, face=face))
    assert torch.equal(data.normal, torch.tensor([0.0, 0, 1]).expand(200, 3))


@pytest.mark.parametrize(
    "face", [torch.tensor([[0, 0], [1, 1], [2, 0]]), torch.zeros(3, 0, dtype=torch.long), None]
)
def test_no_surface_is_an_error(face):
    pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    with pytest.raises(ValueError, match=r"zero area|needs a mesh"):
        SampleSurface(10)(Data(pos=pos, face=face))


def test_seeds():
    mesh = as_data(trimesh.creation.box())

    def draw(**kwargs):
        return SampleSurface(50, **kwargs)(mesh).pos

    torch.manual_seed(1)
    a, b = draw(), draw()
    torch.manual_seed(1)
    assert torch.equal(a, draw()) and not torch.equal(a, b)
    c, d = (draw(generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(c, d)
    assert mesh.face is not None and "normal" not in mesh  # the input is untouched


@given(
    shift=st.tuples(*[st.floats(-1e7, 1e7)] * 3),
    scale=st.floats(1e-2, 1e4),
    num=st.integers(2, 50),
)
@settings(max_examples=50, deadline=None)
def test_normalize_sphere_undoes_moves_and_scales(shift, scale, num):
    cloud = unit_sphere(num).double() * torch.linspace(0.1, 1, num, dtype=torch.float64)[:, None]
    plain = NormalizeSphere()(Data(pos=cloud)).pos
    moved = NormalizeSphere()(Data(pos=cloud * scale + torch.tensor(shift, dtype=torch.float64))).pos
    assert plain.dtype == torch.float32
    assert plain.norm(dim=1).max().item() == pytest.approx(1, abs=1e-6)
    assert plain.mean(0).abs().max() < 1e-6
    assert torch.allclose(plain, moved, atol=1e-5)


def test_normalize_sphere_centres_like_normalize_scale():
    cloud = torch.rand(100, 3)
    ours, theirs = NormalizeSphere()(Data(pos=cloud)).pos, NormalizeScale()(Data(pos=cloud)).pos
    assert torch.allclose(ours / ours.norm(), theirs / theirs.norm(), atol=1e-6)


def test_normalize_sphere_of_float32_map_coordinates():
    # float32 resolves 0.5 m at 5.4e6 m: points on a 10 m lattice are exact, and must stay so
    cloud = torch.tensor([[x, y, 0.0] for x in (0, 10, 20, 30) for y in (0, 10, 20, 30)])
    moved = cloud + torch.tensor([5e5, 5.4e6, 0])
    a, b = NormalizeSphere()(Data(pos=cloud)).pos, NormalizeSphere()(Data(pos=moved)).pos
    assert torch.allclose(a, b, atol=1e-6)


def test_normalize_sphere_edges():
    assert NormalizeSphere()(Data(pos=torch.full((3, 3), 7.0))).pos.tolist() == [[0.0] * 3] * 3
    for pos in (torch.zeros(0, 3), torch.tensor([[0.0, float("nan"), 0]])):
        with pytest.raises(ValueError, match="finite points"):
            NormalizeSphere()(Data(pos=pos))


def test_estimated_normals_of_a_sphere_and_a_plane():
    sphere = unit_sphere(3000)
    normal = EstimateNormals(k=12)(Data(pos=sphere * 3 + 10)).normal
    assert normal.dtype == torch.float32 and (normal * sphere).sum(1).min() > 0.95
    plane = torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 1, 0])
    assert EstimateNormals()(Data(pos=plane)).normal[:, 2].abs().min() > 0.999


@pytest.mark.parametrize(
    "pos",
    [
        torch.zeros(5, 3),
        torch.zeros(1, 3),
        torch.tensor([[0.0, 0, 0], [1, 0, 0]]),
        torch.linspace(0, 1, 30)[:, None] * torch.tensor([1.0, 2, 3]),
        torch.cat([torch.zeros(20, 3), torch.ones(1, 3)]),
    ],
)
def test_estimated_normals_of_degenerate_clouds_are_unit_vectors(pos):
    normal = EstimateNormals(k=8)(Data(pos=pos)).normal
    assert normal.norm(dim=1).sub(1).abs().max() < 1e-6


def test_estimate_normals_refuses():
    with pytest.raises(ValueError, match="k >= 3"):
        EstimateNormals(2)
    with pytest.raises(ValueError, match=r"pos \[N, 3\]"):
        EstimateNormals()(Data(pos=torch.zeros(4, 2)))


def test_sample_shape_takes_meshes_and_clouds():
    torch.manual_seed(0)
    mesh = SampleShape(300)(as_data(trimesh.creation.box(extents=[1, 2, 3])))
    cloud = SampleShape(300)(Data(pos=unit_sphere(1000) * 5))
    small = SampleShape(300)(Data(pos=unit_sphere(100), normal=unit_sphere(100) * 7))
    for data, num in ((mesh, 300), (cloud, 300), (small, 100)):
        assert data.pos.shape == data.normal.shape == (num, 3)
        assert data.pos.dtype == data.normal.dtype == torch.float32
        assert data.pos.norm(dim=1).max().item() == pytest.approx(1, abs=1e-6)
        assert data.normal.norm(dim=1).sub(1).abs().max() < 1e-6
        assert data.get("face") is None
    assert torch.allclose(small.normal, small.pos, atol=0.2)  # stored ones, in the order of their points


def test_sample_shape_repairs_bad_normals():
    pos = unit_sphere(400)
    normal = pos.clone()
    normal[:10] = 0
    normal[10:20] = torch.tensor([1.0, 1, 1])
    normal[20:30] = float("nan")
    data = SampleShape(400, k=12)(Data(pos=pos, normal=normal, row=torch.arange(400)))
    assert data.normal.norm(dim=1).sub(1).abs().max() < 1e-6
    found = dict(zip(data.row.tolist(), data.normal, strict=True))
    assert all((found[i] @ pos[i]) > 0.9 for i in (*range(10), *range(20, 400)))
    assert found[15].tolist() == pytest.approx([3**-0.5] * 3)


def test_reprs():
    shown = [repr(t) for t in (SampleSurface(8), NormalizeSphere(), EstimateNormals(), SampleShape(8))]
    assert shown == ["SampleSurface(8)", "NormalizeSphere()", "EstimateNormals(k=16)", "SampleShape(8, k=16)"]
    with pytest.raises(ValueError, match="at least 1"):
        SampleSurface(0)
    assert np.isfinite(SampleSurface(3)(as_data(trimesh.creation.box())).pos.numpy()).all()


def test_coordinates_whose_squares_do_not_fit_are_refused():
    face = torch.tensor([[0], [1], [2]])
    with pytest.raises(ValueError, match="area is inf"):
        SampleSurface(8)(Data(pos=torch.eye(3).double() * 1e90, face=face))
    with pytest.raises(ValueError, match=r"at most 1e\+100, got 1e\+200"):
        EstimateNormals(3)(Data(pos=torch.randn(9, 3).double().sign() * 1e200))
