"""Every task on every carrier becomes a program by the command, with the answers of the package."""

import contextlib
import io
import json

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.cli import main
from ccnn_geo.export import exportable, save_classifier
from ccnn_geo.export.answers import value_answer
from ccnn_geo.nn.targets import Targets
from tests.export.programs import SHORT, SIZES, assert_same, onnx_session
from tests.torch_versions import since_2_10

TASKS = {
    "classes": {"out_channels": 3},
    "two_classes": {"out_channels": 1},
    "classes_of_each": {"out_channels": 3, "readout": "node"},
    "values": {"out_channels": 2, "pool": "sum", "composition": True},
    "values_of_each": {"out_channels": 2, "readout": "node"},
}
"""What a network answers: of a sample, or of each of its points, cells or time steps."""
CARRIERS = {"series": (20,), "images": (7, 9), "volumes": (4, 5, 6), "points": None}
TARGETS = Targets(("energy", "gap"), ("kcal/mol", "eV"), (-417.0, 2.0), (120.0, 0.5))
OTHERS = {"points": (1, 5, 40), "series": (1, 33), "images": (3, 12), "volumes": (2, 7)}
"""Points of a cloud, or the first axis of a grid, that answers are compared for."""


def network(task, carrier, **given):
    """A network that has seen a batch, its targets with a composition as a training fits it."""
    torch.manual_seed(0)
    size = CARRIERS[carrier]
    dim = 3 if size is None else len(size)
    model = CCNN(2, dim=dim, **{"num_neighbors": 9, **SIZES, **TASKS[task], **given})
    if size is None:
        model(torch.randn(60, 2), torch.rand(60, 3) * 2 - 1, torch.arange(60) // 20)
    else:
        model(torch.randn(2, 2, *size))
    if model.composition is not None:
        model.composition.fit(torch.randn(30, 2) * 9, torch.randn(30, 2))
    return model.eval()


def samples(carrier):
    """Samples of other sizes than the program was traced with, as it takes them."""
    for n in OTHERS[carrier]:
        if carrier == "points":
            yield torch.randn(1, n, 2), torch.rand(1, n, 3) * 2 - 1
        else:
            yield (torch.randn(2, 2, n, *CARRIERS[carrier][1:]),)


@torch.no_grad()
def usual(model, inputs):
    """The network's own outputs, of points with the axis of the cloud."""
    if len(inputs) == 1:
        return model(*inputs)
    found = model(*(t[0] for t in inputs))
    return found if model.readout == "global" else found[None]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("task", TASKS)
def test_programs_have_the_networks_numbers(task, carrier):
    model = network(task, carrier)
    program = exportable(model)
    for inputs in samples(carrier):
        found, expected = program(*inputs), usual(model, inputs)
        assert_same(found, expected)
        sizes = {"B": len(inputs[0]), "N": inputs[0].size(1)}
        sizes |= {f"S{d}": size for d, size in enumerate(inputs[0].shape[2:])}
        assert [sizes.get(size, size) for size in program.outputs] == list(found.shape)


def test_a_composition_counts():
    """What a composition adds is far from nothing, so that a program without it would not pass above."""
    for carrier in ("points", "images"):
        model = network("values", carrier)
        inputs = next(samples(carrier))
        with_it = usual(model, inputs)
        model.composition = None
        assert (usual(model, inputs) - with_it).abs().max() > 0.1


def exported(folder, task, carrier, form):
    """A network's folder made by the command, from one of weights; the network; and how to run the program."""
    model = network(task, carrier, kernel="mlp", **SHORT)
    values = task.startswith("values")
    classes = [] if values else ["no", "yes", "perhaps"][: max(2, model.out_channels)]
    more = {"targets": TARGETS.plain()} if values else {}
    save_classifier(folder / "model", model, classes, {"dataset": "tests"}, **more)
    with contextlib.redirect_stdout(io.StringIO()):
        code = main(("export", str(folder / "model"), str(folder / "program"), "--format", form))
    assert code == 0
    config = json.loads((folder / "program" / "config.json").read_text())
    path = folder / "program" / config["program"]["file"]
    run = onnx_session(path.read_bytes()) if form == "onnx" else torch.export.load(path).module()
    return model, config, run


@since_2_10
@pytest.mark.parametrize(
    ("task", "carrier", "form"),
    [
        ("classes_of_each", "points", "torch-export"),
        ("values", "points", "onnx"),
        ("classes_of_each", "series", "torch-export"),
        ("values_of_each", "images", "onnx"),
    ],
)
def test_the_command_exports(tmp_path, task, carrier, form):
    if form == "onnx":
        for name in ("onnx", "onnxscript"):
            pytest.importorskip(name, reason="needs the onnx extra")
    model, config, run = exported(tmp_path, task, carrier, form)
    values = task.startswith("values")
    assert config["program"]["outputs"] == ("standardised targets" if values else "logits")
    for inputs in samples(carrier):
        found, expected = run(*inputs), usual(model, inputs)
        assert_same(found, expected)
        if task == "values":  # in their units, by what stands in the configuration
            scale = config["classifier"]["targets"]
            energy = scale["mean"][0] + scale["std"][0] * float(found[0, 0])
            assert energy == pytest.approx(value_answer(expected[0], TARGETS).values["energy"], abs=1e-2)


def test_no_edge_lies_in_the_window():
    """A caller may give no neighbour at all: sums are then zero."""
    model = network("classes", "points")
    x, pos = next(samples("points"))
    none = torch.full((1, 1, 3), -1)
    program = exportable(model, neighbors="given")
    edges = torch.empty(2, 0, dtype=torch.long)
    with torch.no_grad():
        assert_same(program(x, pos, none), model(x[0], pos[0], edge_index=edges))


def test_edges_outside_of_windows_are_not_evaluated(monkeypatch):
    """As many kernel values are computed as there are edges in the support of each layer."""
    model = network("classes", "points", window_init=0.2, num_neighbors=30)
    program = exportable(model)
    seen = []
    for conv in program.model.convs:
        kernel = conv.kernel.network
        plain = kernel.definition
        monkeypatch.setattr(
            kernel, "definition", lambda rel, plain=plain: seen.append(len(rel)) or plain(rel)
        )
    x, pos = torch.randn(1, 40, 2), torch.rand(1, 40, 3) * 2 - 1
    program(x, pos)
    distance = (pos[0, :, None] - pos[0]).abs()
    expected = []
    for conv in model.convs:
        nearest = torch.cdist(pos[0].double(), pos[0].double()).argsort(dim=1)[:, :30]
        box = (distance <= conv.kernel.support()).all(dim=2)
        expected.append(int(box.gather(1, nearest).sum()))
    assert seen == expected and max(seen) < 40 * 30 / 2
