"""Programs of a network: the same numbers at other sizes, without this package."""

import subprocess
import sys
from functools import partial

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.export import export_onnx, export_program, exportable
from ccnn_geo.export.points import dense_neighbors
from ccnn_geo.kernels import KERNELS
from ccnn_geo.neighbors import knn_graph
from tests.torch_versions import since_2_10

SIZES = {
    "hidden_channels": 8,
    "num_blocks": 1,
    "kernel_hidden": 6,
    "kernel_layers": 2,
    "omega_0": 0.5,
    "window_init": 0.4,
}
SHORT = {"num_blocks": 0, "kernel_layers": 1}
"""For programs whose tracing takes seconds."""
CLOUDS = ((1, 7), (3, 40), (2, 2))
"""Clouds side by side, and points of each: fewer than neighbours as well."""
OTHERS = (*CLOUDS, (1, 1), (3, 1), (1, 9), (1, 10), (1, 600))
"""One point, as many as neighbours, one more, and far more than the program was traced with."""
SMALL = ((1, (1, 1)), (2, (1, 5)), (1, (5, 1)), (3, (2, 1)), (2, (2, 2)))
"""Images side by side, and axes of one cell and of two."""
ALONE = """
import sys
sys.modules["ccnn_geo"] = None
import torch
try:
    import ccnn_geo
except ImportError:
    pass
else:
    raise SystemExit("ccnn_geo is there")
for name in sys.argv[1:]:
    program = torch.export.load(f"{name}.pt2").module()
    torch.save([program(*inputs) for inputs in torch.load(f"{name}.inputs")], f"{name}.outputs")
"""


def point_network(**given):
    model = CCNN(2, 3, **{"dim": 3, "num_neighbors": 9, **SIZES, **given})
    model(torch.randn(60, 2), torch.rand(60, model.dim) * 2 - 1, torch.arange(60) // 20)
    return model.eval()


def grid_network(*size, **given):
    model = CCNN(2, 3, len(size), **{**SIZES, **given})
    model(torch.randn(2, 2, *size))
    return model.eval()


def clouds(batch, points, dim=3):
    pos = torch.rand(batch, points, dim) * 2 - 1
    pos[:, points // 2 :] = (pos[:, points // 2 :] * 3).round() / 3  # on a lattice: ties, and points twice
    return torch.randn(batch, points, 2), pos


@torch.no_grad()
def usual(model, x, pos, **given):
    """The network itself, by whichever path it takes."""
    batch = torch.arange(x.size(0)).repeat_interleave(x.size(1))
    out = model(x.flatten(0, 1), pos.flatten(0, 1), batch, **given)
    return out if model.readout == "global" else out.unflatten(0, x.shape[:2])


def with_neighbors(x, pos):
    """Neighbours that a caller has found, -1 for none, and weights."""
    index, there = dense_neighbors(pos, 9)
    return x, pos, index.masked_fill(~there, -1), torch.rand(x.shape[:2]) + 0.5


def usual_of_given(model, x, pos, index, weight):
    return usual(model, x, pos, weight=weight.flatten())


def assert_same(found, expected):
    scale = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * scale)


VARIANTS = [
    {},
    {"block": "s4", "readout": "node", "causal": True, "dim": 1},
    {"block": "flex", "pool": "mean_max", "window": "tapered", "window_threshold": 1e-3, "dim": 2},
    {"measure": "quadrature", "num_neighbors": None, "pool": "mean_max"},
    {"num_neighbors": None, "window": None, "kernel_domain": 1.2, "kernel_radius": 2.0, "low_pass": 0.1},
    *({"kernel": name, "window_isotropic": False} for name in KERNELS if name != "magnet"),
]


@pytest.mark.parametrize("given", VARIANTS, ids=lambda given: "-".join(map(str, given.values())) or "plain")
def test_point_programs_have_the_networks_numbers(given):
    model = point_network(**given)
    program = exportable(model, "points")
    for batch, points in CLOUDS:
        x, pos = clouds(batch, points, model.dim)
        with torch.no_grad():
            assert_same(program(x, pos), usual(model, x, pos))


def test_point_programs_in_double_precision():
    model = CCNN(2, 3, 3, num_neighbors=9, **SIZES).double()
    model(torch.randn(40, 2).double(), torch.rand(40, 3).double(), torch.arange(40) // 20)
    x, pos = (t.double() for t in clouds(2, 30))
    torch.testing.assert_close(exportable(model)(x, pos), usual(model.eval(), x, pos), rtol=0, atol=1e-10)


def test_neighbours_and_weights_may_be_given():
    model = point_network(measure="density", pool="mean_max")
    x, pos = clouds(1, 30)
    weight = torch.rand(1, 30) + 0.5
    index, there = dense_neighbors(pos, 5)
    assert there.all()
    expected = usual(model, x, pos, edge_index=knn_graph(pos[0], 5), weight=weight[0])
    with torch.no_grad():
        given = exportable(model, neighbors="given", weights=True)
        assert_same(given(x, pos, index, weight), expected)
        more = torch.cat([index, torch.full((1, 30, 2), -1)], dim=2)
        assert_same(given(x, pos, more, weight), expected)
        assert_same(exportable(model, weights=True)(x, pos, weight), usual(model, x, pos, weight=weight[0]))


@pytest.mark.parametrize("method", ["fft", "direct"])
@pytest.mark.parametrize("spacing", [None, 0.11])
@pytest.mark.parametrize(
    ("trained", "others"),
    [
        ((33,), [(2,), (50,), (1,)]),
        ((9, 12), [(20, 7), (1, 5), (6, 1), (2, 2), (1, 1)]),
        ((5, 6, 7), [(9, 4, 5), (1, 2, 3), (4, 1, 1), (2, 1, 2), (1, 1, 1)]),
    ],
)
def test_grid_programs_have_the_networks_numbers(trained, others, spacing, method):
    model = grid_network(*trained, causal=len(trained) == 1, pool="mean_max")
    program = exportable(model, spacing=spacing, method=method)
    for size in (trained, *others):
        x = torch.randn(3, 2, *size)
        with torch.no_grad():
            assert_same(program(x), model(x, spacing=spacing))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Outputs of programs in a process that cannot import this package, and what they should be."""
    folder = tmp_path_factory.mktemp("programs")
    torch.manual_seed(0)
    points = point_network(**SHORT)
    series, images = grid_network(40, causal=True, **SHORT), grid_network(9, 12, readout="node", **SHORT)
    whole = point_network(num_neighbors=None, measure="quadrature", pool="mean_max", **SHORT)
    weighed = point_network(measure="density", **SHORT)
    made = {
        "points": (export_program(points), [clouds(*size) for size in OTHERS], partial(usual, points)),
        "all_points": (export_program(whole), [clouds(*size) for size in OTHERS], partial(usual, whole)),
        "given": (
            export_program(weighed, neighbors="given", weights=True),
            [with_neighbors(*clouds(*size)) for size in OTHERS],
            partial(usual_of_given, weighed),
        ),
        "series": (export_program(series), [(torch.randn(3, 2, n),) for n in (40, 64, 17, 1, 2)], series),
        "images": (
            export_program(images, spacing=0.2),
            [(torch.randn(b, 2, *size),) for b, size in ((1, (9, 12)), (3, (20, 5)), *SMALL)],
            partial(images, spacing=0.2),
        ),
        "finer images": (
            export_program(images, method="direct"),
            [(torch.randn(b, 2, *size),) for b, size in ((1, (9, 12)), (3, (20, 5)), *SMALL)],
            images,
        ),
    }
    found = {}
    for name, (program, inputs, network) in made.items():
        torch.export.save(program, folder / f"{name}.pt2")
        torch.save(inputs, folder / f"{name}.inputs")
        with torch.no_grad():
            found[name] = [network(*given) for given in inputs]
    command = [sys.executable, "-W", "ignore", "-c", ALONE, *made]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return {name: (torch.load(folder / f"{name}.outputs"), expected) for name, expected in found.items()}


@since_2_10
@pytest.mark.parametrize("name", ["points", "all_points", "given", "series", "images", "finer images"])
def test_programs_run_without_this_package_at_other_sizes(alone, name):
    for found, expected in zip(*alone[name], strict=True):
        assert_same(found, expected)


def onnx_session(model, *args, **given):
    pytest.importorskip("onnx", reason="needs the onnx extra")
    pytest.importorskip("onnxscript", reason="needs the onnx extra")
    runtime = pytest.importorskip("onnxruntime", reason="needs the onnx extra")
    session = runtime.InferenceSession(export_onnx(model, *args, **given), providers=["CPUExecutionProvider"])

    def run(*inputs):
        named = {slot.name: value.numpy() for slot, value in zip(session.get_inputs(), inputs, strict=True)}
        return torch.from_numpy(session.run(None, named)[0])

    return run


@pytest.mark.parametrize(
    "given", [{}, {"num_neighbors": None, "measure": "quadrature"}], ids=["nearest", "all"]
)
def test_onnx_of_points(given):
    model = point_network(**given, **SHORT)
    run = onnx_session(model)
    for size in OTHERS:
        inputs = clouds(*size)
        assert_same(run(*inputs), usual(model, *inputs))


def test_onnx_of_given_neighbours_and_weights():
    model = point_network(measure="density", **SHORT)
    run = onnx_session(model, neighbors="given", weights=True)
    for size in OTHERS:
        inputs = with_neighbors(*clouds(*size))
        assert_same(run(*inputs), usual_of_given(model, *inputs))


@pytest.mark.parametrize(
    ("spacing", "sizes"),
    [
        (None, ((33,), (50,), (1,), (2,))),
        (0.2, ((9, 12), (20, 5), (1, 5), (5, 1), (1, 1), (2, 1))),
        (0.3, ((5, 6, 7), (9, 4, 5), (1, 2, 3), (1, 1, 1), (2, 2, 2))),
    ],
)
def test_onnx_of_grids(spacing, sizes):
    model = grid_network(*sizes[0], **SHORT)
    run = onnx_session(model, spacing=spacing)
    for size in sizes:
        x = torch.randn(3, 2, *size)
        with torch.no_grad():
            assert_same(run(x), model(x, spacing=spacing))


def test_onnx_says_what_it_lacks(monkeypatch):
    model = grid_network(20, **SHORT)
    pytest.importorskip("onnxscript", reason="needs the onnx extra")
    with pytest.raises(ValueError, match="expected method='direct', got 'fft'"):
        export_onnx(model, method="fft")

    def fail(*_, **__):
        raise torch.onnx.OnnxExporterError("Failed\n to convert") from TypeError("no such operator")

    with monkeypatch.context() as patch:
        patch.setattr(torch.onnx, "export", fail)
        with pytest.raises(ValueError, match=r"torch .* cannot convert this network \(no such operator\)"):
            export_onnx(model)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install 'ccnn_geo\[onnx\]'"):
        export_onnx(model)


def test_what_cannot_be_exported_is_said():
    with pytest.raises(ValueError, match="seen no batch"):
        exportable(CCNN(2, 3, 3, **SIZES))
    model = point_network()
    with pytest.raises(ValueError, match="kind to be one of points, grid, got 'mesh'"):
        exportable(model, "mesh")
    with pytest.raises(ValueError, match="seen no grid"):
        exportable(model, "grid")
    with pytest.raises(ValueError, match="'inside' or 'given', got 'found'"):
        exportable(model, neighbors="found")
    with pytest.raises(ValueError, match="weights=True with measure='density'"):
        exportable(point_network(measure="density"))
    with pytest.raises(ValueError, match="aggr 'add', got 'mean'"):
        exportable(point_network(aggr="mean"))
    with pytest.raises(ValueError, match="sums over all points"):
        exportable(point_network(num_neighbors=None), neighbors="given")
    with pytest.raises(ValueError, match="method 'auto', 'fft' or 'direct', got 'slow'"):
        exportable(grid_network(20), method="slow")
    assert not any(p.grad_fn for p in exportable(model).parameters()) and model.stem.dim == 3
