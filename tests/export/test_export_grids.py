"""Programs of networks on grids: the same numbers at other sizes, without this package, and as ONNX."""

import sys

import pytest
import torch

from ccnn_geo.export import export_onnx, export_program, exportable
from tests.export.programs import (
    SHORT,
    assert_runs_as_written,
    assert_same,
    grid_network,
    onnx_and_program,
    onnx_session,
)
from tests.torch_versions import since_2_10

IMAGES = ((1, (9, 12)), (3, (20, 5)), (3, (1, 1)), (2, (1, 5)), (1, (5, 1)), (3, (2, 1)), (2, (2, 2)))
"""Images side by side, and their axes: of one cell and of two as well."""


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
def images():
    """A network of images, some, what it makes of them as fine as they are, its ONNX model and its program."""
    torch.manual_seed(0)
    model = grid_network(9, 12, readout="node", **SHORT)
    inputs = [(torch.randn(b, 2, *size),) for b, size in IMAGES]
    with torch.no_grad():
        return model, inputs, [model(x) for (x,) in inputs], *onnx_and_program(model, method="direct")


@since_2_10
@torch.no_grad()
def test_programs_of_images_take_other_sizes(images):
    model, inputs, outputs, _, finer = images
    assert_runs_as_written(finer, inputs, outputs)
    coarse = [model(x, spacing=0.2) for (x,) in inputs]
    assert_runs_as_written(export_program(model, spacing=0.2), inputs, coarse)


def test_onnx_of_images_as_fine_as_they_are(images):
    _, inputs, outputs, written, _ = images
    run = onnx_session(written)
    for given, expected in zip(inputs, outputs, strict=True):
        assert_same(run(*given), expected)


@pytest.mark.parametrize(
    ("spacing", "sizes"),
    [
        (0.2, ((33,), (50,), (1,), (2,))),
        (0.3, ((5, 6, 7), (9, 4, 5), (1, 2, 3), (1, 1, 1), (2, 2, 2))),
    ],
)
def test_onnx_of_grids_with_a_spacing(spacing, sizes):
    model = grid_network(*sizes[0], members=2, **{**SHORT, "num_blocks": 1})
    run = onnx_session(onnx_and_program(model, spacing=spacing, method="direct")[0])
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
            export_onnx(model, spacing=0.2)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install 'ccnn_geo\[onnx\]'"):
        export_onnx(model)


def test_what_cannot_be_exported_is_said():
    with pytest.raises(ValueError, match="method 'auto', 'fft' or 'direct', got 'slow'"):
        exportable(grid_network(20), method="slow")
