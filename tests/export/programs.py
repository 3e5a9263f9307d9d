"""What tests of exported programs share: small networks, runs without this package, and ONNX sessions."""

import io
import subprocess
import sys

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.export import export_onnx, export_program, exportable

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


def grid_network(*size, **given):
    model = CCNN(2, 3, len(size), **{**SIZES, **given})
    model(torch.randn(2, 2, *size))
    return model.eval()


def assert_same(found, expected):
    scale = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * scale)


def run_alone(folder, inputs):
    """Outputs of the programs ``<name>.pt2`` of a folder, in a process that cannot import this package."""
    for name, given in inputs.items():
        torch.save(given, folder / f"{name}.inputs")
    command = [sys.executable, "-W", "ignore", "-c", ALONE, *inputs]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return {name: torch.load(folder / f"{name}.outputs") for name in inputs}


def assert_runs_as_written(program, inputs, expected):
    """A written program as it is read: of torch's operators alone, and the same at all sizes."""
    file = io.BytesIO()
    torch.export.save(program, file)
    read = torch.export.load(io.BytesIO(file.getvalue()))
    assert not [node for node in read.graph.nodes if "ccnn_geo" in str(node.target)]
    run = read.module()
    for given, output in zip(inputs, expected, strict=True):
        assert_same(run(*given), output)


def onnx_and_program(model, **given):
    """A network as ONNX, ``None`` without the extra, and the program that this is made of: traced once."""
    traced = []

    def traced_once(*args, **kwargs):
        traced.append(export_program(*args, **kwargs))
        return traced[-1]

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ccnn_geo.export.program.export_program", traced_once)
            written = export_onnx(exportable(model, **given))
    except ImportError:
        return None, export_program(model, **given)
    return written, *traced


def onnx_session(written):
    """An ONNX model as a function of tensors."""
    for name in ("onnx", "onnxscript"):
        pytest.importorskip(name, reason="needs the onnx extra")
    runtime = pytest.importorskip("onnxruntime", reason="needs the onnx extra")
    session = runtime.InferenceSession(written, providers=["CPUExecutionProvider"])

    def run(*inputs):
        named = {slot.name: value.numpy() for slot, value in zip(session.get_inputs(), inputs, strict=True)}
        return torch.from_numpy(session.run(None, named)[0])

    return run
