"""Tensors on several devices are refused by name, wherever they meet, before compiled code gets an address."""

import copy
import re
from pathlib import Path

import pytest
import torch
from torch_geometric.data import Data

import ccnn_geo
from ccnn_geo import CCNN, FlexConv, PointPlan, SepFlexConv, transforms
from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.native.build import addresses
from ccnn_geo.functional.edge.conv import edge_conv
from ccnn_geo.functional.edge.extent import edge_extent
from ccnn_geo.functional.grid.fft import fft_conv, plan_fft
from ccnn_geo.functional.representations import to_grid, voxelize
from ccnn_geo.neighbors import Neighbors, build_neighbors, knn, knn_graph
from ccnn_geo.neighbors.measure import cell_measure, density_measure
from ccnn_geo.neighbors.spacing import estimate_spacing
from ccnn_geo.nn.joint import JointCCNN

SIZES = {"kernel_hidden": 4, "omega_0": 1.0, "window_init": 0.4}


@pytest.fixture
def other(device):
    """Another device than the CPU: the one at hand, or that of tensors without numbers."""
    return torch.device("meta") if device.type == "cpu" else device


def refused(other, *names):
    """An error that names a tensor there and one on the CPU."""
    there = "|".join(names)
    return pytest.raises(ValueError, match=rf"expected all on .*\b({there})(\[\d\])? on {other}.*")


def cloud():
    pos = torch.rand(20, 3)
    return {"x": torch.randn(20, 3), "pos": pos, "batch": torch.arange(20) // 10, "weight": torch.ones(20)}


@pytest.mark.parametrize("name", ["x", "pos", "batch", "weight", "edge_index", "neighbors"])
@pytest.mark.parametrize("method", ["edge", "mesh", "plain"])
@pytest.mark.parametrize("cls", [SepFlexConv, FlexConv])
def test_layers_on_points(cls, method, name, other):
    conv = cls(3, 4, 3, method=method, window_threshold=1e-4, **SIZES)
    given = cloud()
    if name == "edge_index":
        given = {**given, "batch": None, "edge_index": knn_graph(given["pos"], 4).to(other)}
    elif name == "neighbors":
        edges = build_neighbors(given["pos"], None, 4)
        there = Neighbors(edges.edge_index.to(other), edges.ptr.to(other), 20, 20)
        given, name = {**given, "batch": None, "edge_index": there}, "edge_index"
    else:
        given[name] = given[name].to(other)
    with refused(other, name):
        conv(**given)


def test_layers_on_pairs_and_plans(other):
    conv, given = SepFlexConv(3, 4, 3, **SIZES), cloud()
    with refused(other, r"pos\[1\]"):
        conv((given["x"], None), (given["pos"], torch.rand(5, 3, device=other)))
    with refused(other, "pos"):
        conv(given["x"], given["pos"], PointPlan(given["pos"].to(other), num_neighbors=4))
    with refused(other, "x", "pos"):
        conv(given["x"].to(other), given["pos"].to(other))
    with pytest.raises(ValueError, match="got x on cpu, pos on cpu, parameters on "):
        conv.to(other)(given["x"], given["pos"])


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("method", ["fft", "direct"])
def test_layers_and_networks_on_grids(method, dim, other):
    x = torch.randn(2, 3, *[5] * dim)
    conv = SepFlexConv(3, 4, dim, method=method, **SIZES)
    with pytest.raises(ValueError, match=f"SepFlexConv: .* got x on {other}, parameters on cpu"):
        conv(x.to(other))
    with pytest.raises(ValueError, match=f"CCNN: expected all on one device, got x on {other}, parameters"):
        CCNN(3, 2, dim, 4, 0, method=method, **SIZES)(x.to(other))


@pytest.mark.parametrize("name", ["x", "pos", "batch", "weight"])
def test_networks_on_points(name, other):
    model = CCNN(3, 2, 3, 4, 0, num_neighbors=4, init_spacing="auto", measure="density", **SIZES)
    given = cloud()
    given[name] = given[name].to(other)
    with refused(other, name):
        model(**given)
    with refused(other, name):
        JointCCNN({"clouds": copy.deepcopy(model)})("clouds", **given)
    with refused(other, name):
        model(Data(**given, num_nodes=20))


def test_neighbours_measures_and_representations(other):
    pos, batch = torch.rand(20, 3), torch.arange(20) // 10
    there, far = batch.to(other), pos.to(other)
    finds = [
        lambda: knn_graph(pos, 4, there),
        lambda: to_grid(pos, pos, there, size=(4, 4, 4)),
        lambda: voxelize(pos, 4, batch=there),
    ]
    if other.type != "meta":  # these count the clouds first
        finds += [lambda: estimate_spacing(pos, there), lambda: density_measure(pos, there)]
    for find in finds:
        with refused(other, "batch"):
            find()
    with refused(other, "pos_dst"):
        knn(pos, far, 4)
    with refused(other, "pos_dst"):
        cell_measure(pos, far)
    with refused(other, "x"):
        voxelize(pos, 4, far)
    edges = build_neighbors(pos, None, 4)
    with refused(other, "neighbors"):
        density_measure(pos, neighbors=Neighbors(edges.edge_index.to(other), edges.ptr.to(other), 20, 20))


@pytest.mark.parametrize(
    ("transform", "name"),
    [
        (transforms.PointFeatures(("pos", "normal")), "normal"),
        (transforms.Voxelize(4), "normal"),
        (transforms.RandomRotate("z"), "normal"),
        (transforms.RandomScaleShift(), "normal"),
        (transforms.PointWOLF(), "normal"),
        (transforms.RandomSubset(5), "normal"),
        (transforms.FarthestSubset(5), "normal"),
        (transforms.BuildNeighbors(4), "batch"),
        (transforms.SampleSurface(5), "face"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_transforms(transform, name, other):
    more = {
        "normal": torch.rand(20, 3),
        "batch": torch.arange(20) // 10,
        "face": torch.tensor([[0], [1], [2]]),
    }
    data = Data(pos=torch.rand(20, 3), **{name: more[name].to(other)})
    with refused(other, name):
        transform(data)


def test_functions_below_the_layers(other):
    pos = torch.rand(20, 3)
    edges = build_neighbors(pos, None, 4)
    there = Neighbors(edges.edge_index.to(other), edges.ptr.to(other), 20, 20)
    kernel = SepFlexConv(3, 4, 3, **SIZES).kernel
    with refused(other, "src"):
        edge_extent(pos, pos, there)
    with refused(other, "src"):
        edge_conv(torch.randn(20, 3), pos, pos, there, kernel)
    x, taps = torch.randn(2, 3, 9), torch.randn(3, 5)
    with refused(other, "x"):
        fft_conv(x.to(other), taps, plan_fft(taps, (9,), (2,)))


def test_compiled_code_has_no_other_way_to_an_address(other):
    x = torch.zeros(2)
    assert addresses(x=x) == {"x": x.data_ptr()}
    with refused(other, "y"):
        addresses(x=x, y=x.to(other))
    asking = [
        str(path.relative_to(Path(ccnn_geo.__file__).parent))
        for path in Path(ccnn_geo.__file__).parent.rglob("*.py")
        if re.search(r"\bdata_ptr\b", path.read_text())
    ]
    # the other two compare addresses
    assert sorted(asking) == ["_base/native/build.py", "kernels/cache.py", "nn/conv/async_mirror.py"]


def test_nothing_to_compare_is_no_error(other):
    check_one_device("nothing", x=None, pos=(None, 1))
    check_one_device("one", x=torch.zeros(1, device=other), y="text")
