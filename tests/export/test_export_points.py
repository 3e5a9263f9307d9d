"""Programs of networks on points: the same numbers at other sizes, without this package, and as ONNX."""

import contextlib
import io
import json
from functools import cache

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.cli import main
from ccnn_geo.export import export_onnx, export_program, exportable
from ccnn_geo.export.edges import dense_neighbors
from ccnn_geo.kernels import KERNELS
from ccnn_geo.neighbors import knn_graph
from ccnn_geo.training.module import Classifier
from tests.export.programs import (
    SHORT,
    SIZES,
    assert_same,
    grid_network,
    onnx_and_program,
    onnx_session,
    run_alone,
)
from tests.torch_versions import since_2_10

CLOUDS = ((1, 7), (3, 40), (2, 2))
"""Clouds side by side, and points of each: fewer than neighbours as well."""
OTHERS = (*CLOUDS, (1, 1), (3, 1), (1, 9), (1, 10), (1, 600))
"""One point, as many as neighbours, one more, and far more than the program was traced with."""
DATA = {"dataset": "folder", "num_points": 40, "num_samples": 64, "features": ["pos", "normal"]}


def point_network(**given):
    model = CCNN(2, 3, **{"dim": 3, "num_neighbors": 9, **SIZES, **given})
    model(torch.randn(60, 2), torch.rand(60, model.dim) * 2 - 1, torch.arange(60) // 20)
    return model.eval()


def clouds(batch, points, dim=3, channels=2):
    pos = torch.rand(batch, points, dim) * 2 - 1
    pos[:, points // 2 :] = (pos[:, points // 2 :] * 3).round() / 3  # on a lattice: ties, and points twice
    return torch.randn(batch, points, channels), pos


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


VARIANTS = [
    {},
    {"block": "s4", "readout": "node", "causal": True, "dim": 1},
    {"block": "gated", "members": 2},
    {"block": "flex", "pool": "mean_max", "window": "tapered", "window_threshold": 1e-3, "dim": 2},
    {"measure": "quadrature", "num_neighbors": None, "pool": "mean_max"},
    {"members": 3, "pool": "mean_max", "set_channels": 4},
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


SEARCHES = {
    "nearest": ({"kernel": "mlp"}, {}),
    "all": ({"num_neighbors": None, "measure": "quadrature", "pool": "mean_max"}, {}),
    "given": (
        {"kernel": "fourier", "measure": "density", "members": 2, "set_channels": 2},
        {"neighbors": "given", "weights": True},
    ),
}
"""A network each and how it is exported; the fewer dimensions and the shorter a kernel, the faster it is traced."""


@pytest.fixture(scope="module")
def exported():
    """Of a way to find neighbours the inputs, what they should give, the ONNX model and the program."""

    @cache
    def make(search):
        torch.manual_seed(0)
        network, how = SEARCHES[search]
        model = point_network(**{"dim": 2, **SHORT, **network})
        inputs = [clouds(*size, dim=2) for size in OTHERS]
        if search == "given":
            inputs = [with_neighbors(*given) for given in inputs]
        expected = usual_of_given if search == "given" else usual
        return inputs, [expected(model, *given) for given in inputs], *onnx_and_program(model, **how)

    return make


@pytest.mark.parametrize("search", SEARCHES)
def test_onnx_of_points(exported, search):
    inputs, outputs, written, _ = exported(search)
    run = onnx_session(written)
    for given, expected in zip(inputs, outputs, strict=True):
        assert_same(run(*given), expected)


@pytest.mark.parametrize("form", ["module", "program", "onnx"])
def test_a_neighbour_that_a_cloud_does_not_have_is_refused(exported, form):
    """It would be a point of the next cloud."""
    inputs, _, written, program = exported("given")
    x, pos, index, weight = inputs[1]
    index = index.clone()
    index[0, 3, 2] = points = pos.size(1)
    assert len(pos) > 1
    if form == "onnx":
        run, error, said = onnx_session(written), Exception, "GatherElements.*Out of range"
    else:
        module = exportable(point_network(dim=2, **SHORT), neighbors="given", weights=True)
        run, error = module if form == "module" else program.module(), (RuntimeError, IndexError)
        said = f"index {points} is out of bounds .* size {points}"
    with pytest.raises(error, match=said), torch.no_grad():
        run(x, pos, index, weight)


@pytest.mark.parametrize("form", ["module", "program", "onnx"])
def test_positions_that_do_not_fit_are_refused(exported, form):
    """One cloud of positions for several of features would answer the first of these."""
    inputs, _, written, program = exported("nearest")
    x, pos = inputs[1]
    run = {"onnx": onnx_session(written), "program": program.module()}.get(form)
    run = run or exportable(point_network(dim=2, **SHORT))
    for other in ((x, pos[:1]), (x[:1], pos), (x[:, :9], pos)):
        with (
            pytest.raises(Exception, match=r"Concat|Guard failed|Sizes of tensors must match"),
            torch.no_grad(),
        ):
            run(*other)


@pytest.mark.parametrize("form", ["program", "onnx"])
def test_positions_that_are_no_numbers_give_none(exported, form):
    inputs, _, written, program = exported("nearest")
    run = onnx_session(written) if form == "onnx" else program.module()
    x, pos = inputs[1]
    sound = run(x, pos)
    for value in (torch.nan, torch.inf):
        other = pos.clone()
        other[1, 3, 0] = value
        found = run(x, other)
        assert found[1].isnan().all()
        assert_same(found[[0, 2]], sound[[0, 2]])
    if form == "onnx":
        assert run(x[:, :0], pos[:, :0]).isnan().all()


@pytest.fixture(scope="module")
def commanded(tmp_path_factory):
    """A run's network, the folder of the program that the command made of it, and what the command said."""
    folder = tmp_path_factory.mktemp("commanded")
    torch.manual_seed(0)
    network = {**SIZES, "kernel": "mlp", "kernel_layers": 1, "num_neighbors": 9}
    model = Classifier(network, ["ball", "disc"], 6, data=DATA)
    model.network.train()(torch.randn(60, 6), torch.rand(60, 3), torch.arange(60) // 20)
    (folder / "run" / "checkpoints").mkdir(parents=True)
    stored = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    torch.save(stored, folder / "run" / "checkpoints" / "best.ckpt")
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as errors,
    ):
        code = main(("export", str(folder / "run"), str(folder / "program"), "--format", "torch-export"))
    return model.network.eval(), folder / "program", (code, out.getvalue(), errors.getvalue())


def test_the_command_makes_a_program(commanded):
    _, folder, said = commanded
    slow = f"writing {folder}/model.pt2, this takes about a minute\n"
    assert said == (0, f"{slow}{folder}/config.json\n{folder}/model.pt2\n", "")
    config = json.loads((folder / "config.json").read_text())
    assert config["classifier"]["classes"] == ["ball", "disc"]
    inputs = {"x": ["B", "N", 6], "pos": ["B", "N", 3]}
    assert config["program"] == {
        "file": "model.pt2",
        "inputs": inputs,
        "outputs": "logits",
        "shape": ["B", 2],
    }
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.pt2"]
    with pytest.raises(FileNotFoundError, match=r"no model\.safetensors"):
        CCNN.from_pretrained(folder)
    program = torch.export.load(folder / "model.pt2").module()
    assert program(torch.randn(1, 33, 6), torch.rand(1, 33, 3)).shape == (1, 2)


@pytest.fixture(scope="module")
def alone(commanded, exported, tmp_path_factory):
    """Outputs of programs, one on sequences, in a process that cannot import this package, and what they should be."""
    folder = tmp_path_factory.mktemp("programs")
    network, made, _ = commanded
    torch.manual_seed(0)
    inputs = {"command": [clouds(*size, channels=6) for size in OTHERS]}
    expected = {"command": [usual(network, *given) for given in inputs["command"]]}
    (folder / "command.pt2").write_bytes((made / "model.pt2").read_bytes())
    for name in ("all", "given"):
        inputs[name], expected[name], _, program = exported(name)
        torch.export.save(program, folder / f"{name}.pt2")
    series = grid_network(40, causal=True, low_pass=0.05, **SHORT)
    torch.export.save(export_program(series), folder / "series.pt2")
    inputs["series"] = [(torch.randn(3, 2, n),) for n in (40, 64, 17, 1, 2)]
    with torch.no_grad():
        expected["series"] = [series(x) for (x,) in inputs["series"]]
    found = run_alone(folder, inputs)
    return {name: (found[name], expected[name]) for name in inputs}


@since_2_10
@pytest.mark.parametrize("name", ["command", "all", "given", "series"])
def test_programs_run_without_this_package_at_other_sizes(alone, name):
    for found, expected in zip(*alone[name], strict=True):
        assert_same(found, expected)


def test_onnx_refuses_double_precision():
    pytest.importorskip("onnxscript", reason="needs the onnx extra")
    model = point_network().double()
    with pytest.raises(ValueError, match=r"expected a network in float32, got float64.* model\.float\(\)"):
        export_onnx(model)
    with pytest.raises(ValueError, match="got float64"):
        export_onnx(exportable(model))


def test_what_cannot_be_exported_is_said():
    with pytest.raises(ValueError, match="not seen a batch"):
        exportable(CCNN(2, 3, 3, **SIZES))
    model = point_network()
    with pytest.raises(ValueError, match="kind to be one of points, grid, got 'mesh'"):
        exportable(model, "mesh")
    with pytest.raises(ValueError, match="not seen a grid"):
        exportable(model, "grid")
    with pytest.raises(ValueError, match="'inside' or 'given', got 'found'"):
        exportable(model, neighbors="found")
    with pytest.raises(ValueError, match="weights=True with measure='density'"):
        exportable(point_network(measure="density"))
    with pytest.raises(ValueError, match="aggr 'add', got 'mean'"):
        exportable(point_network(aggr="mean"))
    with pytest.raises(ValueError, match="sums over all points"):
        exportable(point_network(num_neighbors=None), neighbors="given")
    assert not any(p.grad_fn for p in exportable(model).parameters()) and model.stem.dim == 3
