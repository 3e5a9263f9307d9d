"""Points as they should not be, or rarely are: refused by name on every path, or summed as the definition says."""

import math

import pytest
import torch
from torch_geometric.data import Batch, Data

from ccnn_geo import CCNN, SepFlexConv
from ccnn_geo.neighbors import build_neighbors, knn_graph
from ccnn_geo.nn.conv.plan import PointPlan
from ccnn_geo.testing import assert_close, plain_sum

PATHS = {"auto": 1e-5, "edge": 1e-5, "lattice": 1e-5, "plain": 1e-5, "mesh": 1e-3}
"""Relative error against the definition; the mesh approximates."""

KERNEL = {"kernel": "siren", "omega_0": 0.5, "window_init": 0.3, "window_threshold": 1e-4, "kernel_hidden": 8}
STEP = 0.25
SPACING = {**dict.fromkeys(PATHS), "lattice": STEP}


def lattice(*size: int) -> torch.Tensor:
    axes = [torch.arange(n) * STEP for n in size]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)


POS = lattice(4, 3, 3)
NUM = len(POS)
ALL = build_neighbors(POS, num_neighbors=None).edge_index


def layer(path: str) -> SepFlexConv:
    torch.manual_seed(0)
    return SepFlexConv(4, 5, 3, method=path, num_taps=8.0, num_neighbors=None, **KERNEL).eval()


def features(num: int = NUM) -> torch.Tensor:
    return torch.randn(num, 4, generator=torch.Generator().manual_seed(1))


def edges(path: str, pos: torch.Tensor, batch: torch.Tensor | None = None) -> torch.Tensor | None:
    """All pairs; the mesh takes none, and ``auto`` may see that."""
    return None if path in ("mesh", "auto") else build_neighbors(pos, batch, None).edge_index


def run(path: str, x: torch.Tensor, pos: torch.Tensor, batch: torch.Tensor | None = None) -> torch.Tensor:
    return layer(path)(x, pos, edges(path, pos, batch), batch, spacing=SPACING[path])


def definition(x: torch.Tensor, pos: torch.Tensor) -> torch.Tensor:
    conv = layer("plain")
    return conv.mix(plain_sum(conv, x, pos, pos))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "pos",
    [POS[:1], POS[:1].expand(7, 3), lattice(9, 1, 1), lattice(1, 4, 5)],
    ids=["one", "equal", "collinear", "flat"],
)
def test_degenerate_clouds_are_summed_as_defined(path, pos):
    x = features(len(pos))
    assert_close(run(path, x, pos), definition(x, pos), PATHS[path])


@pytest.mark.parametrize("path", PATHS)
def test_empty_clouds_in_a_batch(path):
    sizes = [0, 10, 0, 0, 5, 1, NUM - 16, 0]
    batch = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    x = features()
    expected = [
        definition(*part) for part in zip(x.split(sizes), POS.split(sizes), strict=True) if len(part[0])
    ]
    assert_close(run(path, x, POS, batch), torch.cat(expected), PATHS[path])


@pytest.mark.parametrize("path", PATHS)
def test_no_points_at_all(path):
    assert run(path, features(0), POS[:0]).shape == (0, 5)


@pytest.mark.parametrize("path", PATHS)
def test_tensors_that_are_not_contiguous(path):
    x, pos = features().T.contiguous().T, torch.stack([POS, POS], dim=2)[..., 1]
    batch = torch.stack([torch.arange(NUM) // 18] * 2, dim=1)[:, 0]
    given = edges(path, POS, batch.contiguous())
    given = None if given is None else given.T.contiguous().T
    assert not (x.is_contiguous() or pos.is_contiguous() or batch.is_contiguous())
    expected = run(path, features(), POS, batch.contiguous())
    assert_close(layer(path)(x, pos, given, batch, spacing=SPACING[path]), expected, 1e-6)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_other_precisions_are_taken_as_the_numbers_they_hold(path, dtype):
    x = features().to(dtype)
    found = run(path, x, POS.to(dtype))
    assert found.dtype == torch.float32
    assert_close(found, run(path, x.float(), POS), 1e-6)


@pytest.mark.parametrize("path", PATHS)
def test_map_coordinates_keep_their_differences(path):
    moved = POS.double() + torch.tensor([5e5, 5.4e6, 100.0], dtype=torch.float64)
    assert_close(run(path, features(), moved), run(path, features(), POS), 1e-5)


def spoiled(values: torch.Tensor, value: float) -> torch.Tensor:
    values = values.clone()
    values[3] = value
    return values


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_named(path, value):
    x, weight, conv = features(), torch.ones(NUM), layer(path)
    for given in (edges(path, POS), None):
        for what, arguments in {
            "x": (spoiled(x, value), POS, given),
            "pos": (x, spoiled(POS, value), given),
            "weight": (x, POS, given, None, spoiled(weight, value)),
        }.items():
            with pytest.raises(
                ValueError,
                match=rf"expected {what} to be finite, got NaN or Inf in 1 of 36 points \(first: number 3\)",
            ):
                conv(*arguments, spacing=SPACING[path])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        (torch.arange(NUM) % 2, ValueError, "batch must be sorted, cloud after cloud"),
        (torch.arange(NUM) // 18 - 1, ValueError, "batch must not be negative, got -1"),
        (torch.zeros(NUM - 1, dtype=torch.long), ValueError, r"one cloud per point, \[36\] .* got \[35\]"),
        (torch.zeros(NUM), TypeError, "batch must be int64 or int32, got torch.float32"),
        ([0] * NUM, TypeError, r"batch must be a tensor \[N\], got int|batch.* tensor"),
    ],
)
def test_clouds_that_are_not_told_apart(path, batch, error, message):
    batch = (batch, batch) if isinstance(batch, list) else batch
    with pytest.raises(error, match=message):
        layer(path)(features(), POS, None, batch, spacing=SPACING[path])


@pytest.mark.parametrize("path", [name for name in PATHS if name != "mesh"])
@pytest.mark.parametrize(
    ("edge_index", "error", "message"),
    [
        (
            torch.tensor([[0, 36], [1, 1]]),
            ValueError,
            r"row 0 of edge_index must lie in .*\[0, 36\), got .* 0 to 36",
        ),
        (
            torch.tensor([[0, 1], [1, -1]]),
            ValueError,
            r"row 1 of edge_index must lie in .* got indices from -1 to 1",
        ),
        (ALL.T, ValueError, r"edge_index must have shape \[2, E\], got \[1296, 2\]"),
        (ALL.float(), TypeError, "edge_index must be int64 or int32, got torch.float32"),
    ],
)
def test_edges_to_nowhere(path, edge_index, error, message):
    with pytest.raises(error, match=message):
        layer(path)(features(), POS, edge_index, spacing=SPACING[path])


@pytest.mark.parametrize(
    ("x", "pos", "got"),
    [
        (features().tolist(), POS, "x to be a real tensor, .* got list"),
        (features(), POS.numpy(), "pos to be a real tensor, .* got ndarray"),
        (features().to(torch.complex64), POS, "x to be a real tensor, .* got Tensor of torch.complex64"),
        ((None, features()), POS, "x to be a real tensor, .* got tuple of NoneType, torch.float32"),
        (features(), (POS, POS, POS), "pos to be a real tensor, or a pair"),
    ],
)
def test_what_is_no_tensor(x, pos, got):
    with pytest.raises(TypeError, match=f"SepFlexConv: expected {got}"):
        layer("auto")(x, pos)


def test_positions_beyond_the_precision_of_the_kernel():
    far = POS.double()
    far[0] = 1e200
    with pytest.raises(ValueError, match=r"pos in torch\.float32 to be finite, got NaN or Inf"):
        layer("edge")(features(), far)
    assert layer("edge").double()(features(), far).isfinite().all()


def test_values_inside_a_network_are_not_looked_at():
    """A network that has diverged gives NaN, as all of torch do, and training tells by its loss."""
    model = CCNN(4, 2, 3, hidden_channels=8, num_blocks=1, num_neighbors=8, **KERNEL).eval()
    torch.nn.init.constant_(model.stem_norm.weight, math.nan)
    assert model(features(), POS).isnan().all()
    plan = PointPlan(POS)
    layer("edge")(features(), POS, plan)
    assert layer("edge")(spoiled(features(), math.nan), POS, plan).isnan().any()


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_network_looks_at_its_input_also_where_the_points_are_known(model, value):
    plan = PointPlan(POS, num_neighbors=8)
    weight = torch.ones(NUM)
    before = model(features(), POS, edge_index=plan, weight=weight)
    for what, arguments in {
        "x": (spoiled(features(), value), weight),
        "weight": (features(), spoiled(weight, value)),
    }.items():
        message = rf"CCNN: expected {what} to be finite, got NaN or Inf in 1 of 36 points \(first: number 3\)"
        with pytest.raises(ValueError, match=message):
            model(arguments[0], POS, edge_index=plan, weight=arguments[1])
    assert torch.equal(model(features(), POS, edge_index=plan, weight=weight), before)


@pytest.mark.parametrize("number", [0, -3, 2.5, "8", [8]])
def test_numbers_of_neighbors_that_are_none(number):
    for make in (
        lambda: SepFlexConv(4, 5, 3, num_neighbors=number),
        lambda: CCNN(4, 2, 3, hidden_channels=8, num_blocks=1, num_neighbors=number),
    ):
        with pytest.raises(ValueError, match="expected num_neighbors to be 1 or more, or None, got "):
            make()


# Networks ----------------------------------------------------------------------------------------


@pytest.fixture
def model():
    model = CCNN(4, 2, 3, hidden_channels=8, num_blocks=1, num_neighbors=8, **KERNEL)
    model(features(), POS)  # sets the scales
    return model.eval()


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"x": spoiled(features(), math.nan)}, ValueError, "x to be finite, got NaN or Inf in 1 of 36"),
        ({"pos": spoiled(POS, math.inf)}, ValueError, "pos to be finite, got NaN or Inf in 1 of 36"),
        (
            {"pos": spoiled(POS, math.nan), "edge_index": knn_graph(POS, 4)},
            ValueError,
            "pos to be finite, got NaN or Inf in 1 of 36",
        ),
        ({"pos": (POS / STEP).long()}, ValueError, r"floating-point pos \[N, 3\], got torch.int64 \[36, 3\]"),
        ({"pos": POS[:, :2]}, ValueError, r"floating-point pos \[N, 3\], got torch.float32 \[36, 2\]"),
        ({"x": features()[:, :3]}, ValueError, r"expected x \[N, 4\] beside pos, got \[36, 3\]"),
        ({"x": features(35)}, ValueError, "x has 35 points, pos has 36"),
        ({"batch": torch.arange(NUM) % 2}, ValueError, "batch must be sorted"),
        ({"batch": torch.arange(NUM) / 18}, TypeError, "batch must be int64 or int32, got torch.float32"),
        (
            {"edge_index": torch.tensor([[0], [NUM]])},
            ValueError,
            r"row 1 of edge_index .* got indices from 36 to 36",
        ),
        (
            {"edge_index": knn_graph(POS, 4).T},
            ValueError,
            r"edge_index must have shape \[2, E\], got \[144, 2\]",
        ),
    ],
)
def test_data_that_do_not_fit(model, wrong, error, message):
    with pytest.raises(error, match=message):
        model(Data(**{"x": features(), "pos": POS, **wrong}))


def test_too_small_a_number_of_clouds(model):
    with pytest.raises(ValueError, match="expected batch below batch_size=1, got 1"):
        model(features(), POS, torch.arange(NUM) // 18, batch_size=1)


def test_a_batch_with_empty_clouds_gives_the_others_what_they_get_alone(model):
    cut = [0, 1, 1, 5, NUM, NUM]
    clouds = [Data(x=features()[a:b], pos=POS[a:b]) for a, b in zip([0, *cut], [*cut, NUM], strict=True)]
    together = model(Batch.from_data_list(clouds))
    assert together.shape == (7, 2) and together.isfinite().all()
    for cloud, found in zip(clouds, together, strict=True):
        if cloud.num_nodes:
            assert_close(found, model(cloud)[0], 1e-5)


def test_fewer_points_than_neighbors(model):
    model.num_neighbors = 256
    few = model(features(10), POS[:10])
    assert_close(
        few, model(features(10), POS[:10], edge_index=build_neighbors(POS[:10], num_neighbors=None)), 1e-6
    )
    assert torch.equal(knn_graph(POS[:10], 256), knn_graph(POS[:10], 10))


@pytest.mark.parametrize("backend", ["torch", "scipy"])
def test_neighbors_of_degenerate_clouds(backend):
    equal = knn_graph(POS[:1].expand(6, 3), 4, backend=backend)
    assert equal[0].view(6, 4).tolist() == [[0, 1, 2, 3]] * 6  # the first ones, all being as near
    assert knn_graph(POS[:1], 3, backend=backend).tolist() == [[0], [0]]
    line = torch.arange(6.0)[:, None] * torch.tensor([1.0, 2.0, -1.0])
    assert knn_graph(line, 3, backend=backend)[0].view(6, 3)[[0, 3, 5]].tolist() == [
        [0, 1, 2],
        [3, 2, 4],
        [5, 4, 3],
    ]
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert torch.equal(knn_graph(POS.to(dtype), 5, backend=backend), knn_graph(POS, 5, backend=backend))
    far = POS.double() + torch.tensor([5e5, 5.4e6, 100.0], dtype=torch.float64)
    assert torch.equal(knn_graph(far, 5, backend=backend), knn_graph(POS, 5, backend=backend))
