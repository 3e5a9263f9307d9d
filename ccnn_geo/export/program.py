"""Programs of a network: ``torch.export`` and ONNX, for inference without this package."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from ccnn_geo._base.extras import needs
from ccnn_geo._base.operators import FORMULAS
from ccnn_geo.export.grids import GridProgram, GridSum
from ccnn_geo.export.points import PointProgram
from ccnn_geo.io.models.folder import Writer
from ccnn_geo.nn.ccnn import CCNN

KINDS = {"points": PointProgram, "grid": GridProgram}
"""Kinds of input for an exported network."""


def exportable(model: CCNN, kind: str | None = None, **given: Any) -> PointProgram | GridProgram:
    """A network as a module of plain tensor operations, for ``torch.export`` or any other tracer.

    Args:
        model: The network, after its first batch.
        kind: ``"points"`` or ``"grid"``; by default that of its training.
        **given: Arguments of :class:`~ccnn_geo.export.points.PointProgram` or
            :class:`~ccnn_geo.export.grids.GridProgram`.

    Raises:
        ValueError: If the kind is unknown, or the network has no such form.

    Example:
        >>> model = CCNN.from_preset("ccnn_4_16", dim=3, in_channels=6, out_channels=10, num_neighbors=16)
        >>> out = model(torch.randn(80, 6), torch.rand(80, 3), torch.arange(80) // 40)
        >>> exportable(model)(torch.randn(2, 50, 6), torch.rand(2, 50, 3)).shape
        torch.Size([2, 10])
    """
    kind = trained_on(model) if kind is None else kind
    if kind not in KINDS:
        raise ValueError(f"export: expected kind to be one of {', '.join(KINDS)}, got {kind!r}")
    return KINDS[kind](model, **given)


def trained_on(model: CCNN) -> str:
    """``"grid"`` if a network was trained on grids, else ``"points"``."""
    return "grid" if bool((model.stem.grid.reference_spacing > 0).all()) else "points"


def export_program(
    model: CCNN | PointProgram | GridProgram, kind: str | None = None, **given: Any
) -> torch.export.ExportedProgram:
    """The program of a network for any batch and number of points or cells; write it with ``torch.export.save``.

    Takes the arguments of :func:`exportable`, or its result, and raises the same errors.
    """
    program = exportable(model, kind, **given) if isinstance(model, CCNN) else model
    inputs, sizes = program.example()
    with torch.no_grad(), _quiet():
        exported = torch.export.export(program, inputs, dynamic_shapes=sizes)
        # decompose operators of this package, because the program runs without it
        return exported.run_decompositions(FORMULAS)


def export_onnx(model: CCNN | PointProgram | GridProgram, kind: str | None = None, **given: Any) -> bytes:
    """The same program as an ONNX model; needs the extra ``onnx``.

    Grids are convolved directly, because onnxruntime refuses Fourier transforms of variable size. This is slow for
    kernels of thousands of taps; a ``spacing`` limits them to the window.

    Raises:
        ImportError: If the extra is not installed.
        ValueError: If the network has no such form, is not in float32, uses ``"fft"``, or has a part that the exporter
            cannot convert.
    """
    with needs("onnx", "export to ONNX"):
        import onnx
        import onnxscript  # noqa: F401 (used by torch.onnx)
    kept = next(model.parameters()).dtype
    if kept != torch.float32:
        raise ValueError(
            f"export to ONNX: expected a network in float32, got {str(kept).removeprefix('torch.')}, for which "
            "onnxruntime lacks operators; convert it with model.float(), or use export_program"
        )
    if isinstance(model, CCNN):
        direct = {"method": "direct"} if (kind or trained_on(model)) == "grid" else {}
        model = exportable(model, kind, **{**direct, **given})
    program = model
    if any(module.method == "fft" for module in program.modules() if isinstance(module, GridSum)):
        raise ValueError(
            "export to ONNX: expected method='direct', got 'fft', for which onnxruntime needs fixed sizes"
        )
    names = list(program.inputs)
    if isinstance(program, PointProgram):
        program = copy.copy(program)
        program.for_onnx = True
    try:
        with torch.no_grad(), _quiet():
            found = torch.onnx.export(
                export_program(program),
                dynamo=True,
                input_names=names,
                output_names=["outputs"],
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(
            f"export to ONNX: torch {torch.__version__} with onnxscript cannot convert this network ({reason}); "
            "export_program may work"
        ) from error
    assert found is not None, "the exporter on torch.export returns its program"
    file = io.BytesIO()
    onnx.save_model(found.model_proto, file)
    return file.getvalue()


def program_writer(program: PointProgram | GridProgram, form: str) -> Writer:
    """Writes a program, ``"torch-export"`` or ``"onnx"``."""
    if form == "onnx":
        written = export_onnx(program)
        return lambda file: file.write(written)
    exported = export_program(program)
    return lambda file: torch.export.save(exported, file)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences messages of exporters about their internals."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
