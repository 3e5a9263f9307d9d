"""``torch.use_deterministic_algorithms``: every path runs under it, and twice the same run is bitwise the same."""

import copy

import pytest
import torch
from torch_geometric.data import Batch, Data

from ccnn_geo import CCNN, SepFlexConv, transforms
from ccnn_geo._base.native.build import native_function
from ccnn_geo.functional.mesh.band import mesh_spacing
from ccnn_geo.neighbors.measure import density_measure
from ccnn_geo.neighbors.spacing import estimate_spacing
from ccnn_geo.nn.nyquist import nyquist_penalty, sample_spacing
from tests.pairwise import pairwise


@pytest.fixture(autouse=True)
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def points(spacing=None):
    pos = torch.rand(160, 3) * 2 - 1
    if spacing is not None:
        pos = (pos / spacing).round() * spacing
    return torch.randn(160, 4), pos, torch.arange(2).repeat_interleave(80)


WIDE = {
    "hidden_channels": 24,
    "kernel_hidden": 8,
    "omega_0": 0.5,
    "window_init": 0.4,
    "dropout": 0.1,
    "drop_path": 0.1,
}
COARSE = {"hidden_channels": 8, "omega_0": 0.2, "window_threshold": 1e-2}
"""For the mesh: the fewer cells and channels, the faster."""
CASES = {
    "edges": (3, {"num_neighbors": 64}, points),
    "edges, density": (3, {"num_neighbors": 16, "measure": "density"}, points),
    "edges, largest": (3, {"num_neighbors": 16, "pool": "mean_max"}, points),
    "messages": (3, {"num_neighbors": 16, "method": "plain"}, points),
    "dense": (3, {"num_neighbors": 16, "block": "flex"}, points),
    "lattice": (3, {"num_neighbors": 32, "method": "lattice"}, lambda: points(0.1)),
    "mesh": (3, {"method": "mesh", **COARSE}, points),
    "sequence by fft": (1, {"method": "fft", "causal": True}, lambda: (torch.randn(4, 4, 300),)),
    "image by sums": (2, {"method": "direct"}, lambda: (torch.randn(4, 4, 12, 13),)),
}


SLOW_SIMULATED = ("messages", "dense", "mesh", "edges, largest")


def train(dim, options, make, compiled, monkeypatch, device="cpu"):
    """Losses, gradients and parameters of a step of training from one seed, and the loss after it."""
    monkeypatch.setenv("CCNN_GEO_NATIVE", str(int(compiled)))
    torch.manual_seed(0)
    inputs = [t.to(device) for t in make()]
    model = CCNN(4, 3, dim, num_blocks=1, **{**WIDE, **options}).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    spacing = (
        {"spacing": 0.1} if options.get("method") == "lattice" else {}
    )  # which is detected on the CPU only
    if dim == 3:
        inputs[1].requires_grad_(options.get("method") != "lattice")
    loss = model(*inputs, **spacing).square().mean() + model(*inputs, **spacing).sum()
    loss.backward()
    grads = [t.grad for t in (*inputs, *model.parameters()) if t.grad is not None]
    optimizer.step()
    after = model(*inputs, **spacing).square().mean()
    return [loss.detach(), after.detach(), *grads, *(t.detach() for t in model.state_dict().values())]


NAMES, RUNS = pairwise({"name": CASES, "compiled": [True, False], "threads": [1, 2]})


@pytest.mark.parametrize(
    NAMES,
    [
        pytest.param(*run, marks=pytest.mark.slow_simulated if run[0] in SLOW_SIMULATED else ())
        for run in RUNS
    ],
    indirect=["threads"],
)
def test_the_same_run_is_bitwise_the_same(name, compiled, threads, monkeypatch, device):
    if compiled and (device.type != "cpu" or native_function("edge_magnet") is None):
        pytest.skip("compiled code is for the CPU, where there is a C compiler")
    first, second = (train(*CASES[name], compiled, monkeypatch, device) for _ in range(2))
    assert first[0].isfinite()
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("dim", [1, 3])
def test_what_looks_at_samples_and_kernels_runs_too(dim, device):
    """The spacing of a cloud, frequency limits, the penalty, and weights, which training asks for beside layers."""
    pos = (torch.rand(50, dim) * 2 - 1).to(device)
    x, batch = torch.randn(50, 4).to(device), torch.arange(50).to(device) // 25
    sizes = {**WIDE, "hidden_channels": 8, "num_blocks": 1}
    model = CCNN(4, 3, dim, num_neighbors=None, measure="quadrature", init_spacing="auto", **sizes)
    model = model.to(device)
    loss = model(x, pos, batch).square().sum()
    loss = loss + nyquist_penalty([conv.kernel for conv in model.convs], estimate_spacing(pos).mean().item())
    loss.backward()
    assert loss.isfinite()
    torch.testing.assert_close(
        estimate_spacing(pos, batch).cpu(), estimate_spacing(pos.cpu(), batch.cpu()), rtol=1e-5, atol=0
    )
    conv = SepFlexConv(4, 4, dim, omega_0=0.5, window_threshold=1e-4).to(device)
    on_host = copy.deepcopy(conv).cpu()
    torch.testing.assert_close(mesh_spacing(conv.kernel), mesh_spacing(on_host.kernel), rtol=1e-5, atol=0)
    assert density_measure(pos, batch).isfinite().all()


def mesh(device):
    """Two triangles of areas 3 and 1 at the heights 0 and 1, and one without area."""
    pos = torch.tensor([[0.0, 0, 0], [3, 0, 0], [0, 2, 0], [0, 0, 1], [1, 0, 1], [0, 2, 1]], device=device)
    return Data(pos=pos, face=torch.tensor([[0, 3, 0], [1, 4, 0], [2, 5, 1]], device=device))


def test_points_of_a_mesh_are_those_of_the_host(device):
    drawn = transforms.SampleSurface(4000)(mesh(device))
    assert drawn.pos.device == device
    assert (drawn.pos[:, 2] == 0).sum().item() == pytest.approx(3000, abs=4 * (4000 * 3 / 16) ** 0.5)
    assert torch.equal(drawn.normal.cpu(), torch.tensor([0.0, 0, 1]).expand(4000, 3))
    torch.manual_seed(3)
    draw = torch.rand(4000, 3, dtype=torch.float64, device=device)[:, 0].cpu()
    torch.manual_seed(3)
    height = transforms.SampleSurface(4000)(mesh(device)).pos[:, 2].cpu()
    assert torch.equal(height, (draw * 8 >= 6).float())  # a face up to 6/8 of the sum, the other one beyond


def cloud(device):
    return Data(
        x=torch.randn(40, 2).to(device), pos=torch.rand(40, 3).to(device), y=torch.zeros(1).long().to(device)
    )


def two_clouds(device):
    return Batch.from_data_list([cloud(device), cloud(device)])


def grid(size):
    return lambda device: torch.randn(size).to(device)


TRANSFORMS = {
    "BuildNeighbors": (lambda: transforms.BuildNeighbors(8), cloud),
    "DropNormals": (lambda: transforms.DropNormals(0.5, 8), cloud),
    "EstimateNormals": (lambda: transforms.EstimateNormals(8), cloud),
    "FarthestSubset": (lambda: transforms.FarthestSubset(8), cloud),
    "FixedSubset": (lambda: transforms.FixedSubset(8), cloud),
    "MixClouds": (lambda: transforms.MixClouds(3, 1.0), two_clouds),
    "NormalizeBox": (lambda: transforms.NormalizeBox(), cloud),
    "NormalizeSphere": (lambda: transforms.NormalizeSphere(), cloud),
    "PointFeatures": (
        lambda: transforms.PointFeatures(),
        lambda d: Data(pos=cloud(d).pos, normal=cloud(d).pos),
    ),
    "PointWOLF": (lambda: transforms.PointWOLF(), cloud),
    "RandomCrop": (lambda: transforms.RandomCrop(2), grid((3, 8, 8))),
    "RandomFlip": (lambda: transforms.RandomFlip(), grid((3, 8, 8))),
    "RandomJitter": (lambda: transforms.RandomJitter(), cloud),
    "RandomNoise": (lambda: transforms.RandomNoise(), grid((1, 50))),
    "RandomPointDropout": (lambda: transforms.RandomPointDropout(0.5), cloud),
    "RandomRotate": (lambda: transforms.RandomRotate(), cloud),
    "RandomScaleShift": (lambda: transforms.RandomScaleShift(), cloud),
    "RandomSubset": (lambda: transforms.RandomSubset(8), cloud),
    "RandomTimeShift": (lambda: transforms.RandomTimeShift(5), grid((1, 50))),
    "RandomUp": (lambda: transforms.RandomUp(), cloud),
    "RandomMirror": (lambda: transforms.RandomMirror(), cloud),
    "SampleShape": (lambda: transforms.SampleShape(8), mesh),
    "SampleSurface": (lambda: transforms.SampleSurface(8), mesh),
    "ThinHalf": (lambda: transforms.ThinHalf(), cloud),
    "TurnUp": (lambda: transforms.TurnUp("z", "y"), cloud),
    "Voxelize": (lambda: transforms.Voxelize(4, 8), cloud),
}


PIPELINES = {"Augmentation", "MFCC", "ScanPipeline", "ShapePipeline", "network_inputs"}
"""Of the command line and of recordings, on the host."""


@pytest.mark.parametrize("name", [n for n in transforms.__all__ if n not in PIPELINES])
def test_transforms_run_and_repeat(name, device):
    make, sample = TRANSFORMS[name]

    def once():
        torch.manual_seed(1)
        out = make()(sample(device))
        return {"": out} if isinstance(out, torch.Tensor) else out.to_dict()

    first, second = once(), once()
    for key, value in first.items():
        if isinstance(value, torch.Tensor):
            assert value.device == device and torch.equal(value, second[key])


def test_the_spacing_of_a_batch(device):
    pos, batch = torch.rand(60, 2), torch.arange(60) // 20
    found = sample_spacing(None, pos.to(device), batch.to(device))
    assert torch.allclose(found, sample_spacing(None, pos, batch), rtol=1e-5)
