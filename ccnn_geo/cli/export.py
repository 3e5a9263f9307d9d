"""The command ``ccnn-geo export CHECKPOINT OUT``."""

from __future__ import annotations

from pathlib import Path

from ccnn_geo.cli.terminal import OneLineParser

FORMATS = {"safetensors": "model.safetensors", "torch-export": "model.pt2", "onnx": "model.onnx"}
"""The file written beside ``config.json``, by format."""
METHODS = {"torch-export": "auto", "onnx": "direct"}
"""The method that convolves grids in a program, by format."""


def main(arguments: list[str]) -> None:
    """Writes the folder of a trained network."""
    parser = OneLineParser(
        prog="ccnn-geo export",
        description="Writes a trained network of any task to a folder, complete or not at all. The folder holds "
        "config.json (classes or targets, the preparation of a sample, the network's arguments) and either "
        "model.safetensors, which predict accepts in place of a checkpoint, or a program that runs without this "
        "package.",
    )
    parser.add_argument(
        "checkpoint",
        help="A checkpoint of train, a run for its best checkpoint, an exported folder, or a network that comes with "
        "the package (ccnn-geo models).",
    )
    parser.add_argument("out", help="The folder to write.")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="safetensors",
        help="safetensors: weights; torch-export: a program for torch.export.load; onnx: one for onnxruntime.",
    )
    parser.add_argument(
        "--kind", choices=("points", "grid"), help="Input of a program; by default that of the training."
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="Replace the model of a folder that is not empty."
    )
    options = parser.parse_args(arguments)
    if options.kind is not None and options.format == "safetensors":
        parser.error(f"--kind {options.kind} is for programs; weights take points and grids")

    from ccnn_geo.export.classifier import save_classifier
    from ccnn_geo.export.trained import read_network
    from ccnn_geo.io.models.folder import check_vacant

    name = FORMATS[options.format]
    check_vacant(Path(options.out).expanduser(), [name], options.overwrite)  # before the slow steps
    settings, network = read_network(options.checkpoint)
    given = (network, settings["classes"], settings["data"], options.overwrite)
    pipeline, targets = settings.get("pipeline"), settings.get("targets")
    if options.format == "safetensors":
        folder = save_classifier(options.out, *given, pipeline=pipeline, targets=targets)
    else:
        from ccnn_geo.export.program import exportable, program_writer, trained_on

        data = settings["data"]
        weights = data.get("reference_points") is not None or network.stem.measure.name == "density"
        kind = trained_on(network) if options.kind is None else options.kind
        more = {"weights": weights} if kind == "points" else {"method": METHODS[options.format]}
        program = exportable(network, kind, **more)
        outputs = "logits" if targets is None else "standardised targets"
        about = {"file": name, "inputs": program.inputs, "outputs": outputs, "shape": program.outputs}
        print(f"writing {Path(options.out) / name}, this takes about a minute", flush=True)
        files = {name: program_writer(program, options.format)}
        folder = save_classifier(options.out, *given, files, about, pipeline, targets=targets)
    for written in ("config.json", name):
        print(f"{Path(folder) / written}")
