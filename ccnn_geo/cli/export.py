"""The command ``ccnn-geo export CHECKPOINT OUT``."""

from __future__ import annotations

from pathlib import Path

from ccnn_geo.cli.terminal import OneLineParser

FORMATS = {"safetensors": "model.safetensors", "torch-export": "model.pt2", "onnx": "model.onnx"}
"""What is written beside ``config.json``."""
METHODS = {"torch-export": "auto", "onnx": "direct"}
"""How grids are convolved in a program."""


def main(arguments: list[str]) -> None:
    """Writes the folder of a trained classifier."""
    parser = OneLineParser(
        prog="ccnn-geo export",
        description="Makes a folder of a trained classifier, complete or absent: config.json (classes, what a sample "
        "goes through, the network's arguments) and model.safetensors, which predict takes in the place of a "
        "checkpoint, or a program that runs without this package.",
    )
    parser.add_argument(
        "checkpoint", help="A checkpoint of train, the run, for its best one, or such a folder."
    )
    parser.add_argument("out", help="The folder to write.")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="safetensors",
        help="safetensors: weights; torch-export: a program for torch.export.load; onnx: one for onnxruntime.",
    )
    parser.add_argument("--kind", choices=("points", "grid"), help="Of a program; by default as trained.")
    parser.add_argument(
        "--overwrite", action="store_true", help="Replace the model of a folder that is not empty."
    )
    options = parser.parse_args(arguments)
    if options.kind is not None and options.format == "safetensors":
        parser.error(f"--kind {options.kind} is for programs; weights take points and grids")

    from ccnn_geo.export.classifier import save_classifier
    from ccnn_geo.export.trained import read_network

    settings, network = read_network(options.checkpoint)
    given = (network, settings["classes"], settings["data"], options.overwrite)
    pipeline, targets = settings.get("pipeline"), settings.get("targets")
    if options.format == "safetensors":
        folder = save_classifier(options.out, *given, pipeline=pipeline, targets=targets)
    else:
        from ccnn_geo.export.program import exportable, program_writer, trained_on

        name, data = FORMATS[options.format], settings["data"]
        weights = data.get("reference_points") is not None or network.stem.measure.name == "density"
        kind = trained_on(network) if options.kind is None else options.kind
        more = {"weights": weights} if kind == "points" else {"method": METHODS[options.format]}
        program = exportable(network, kind, **more)
        outputs = "logits" if targets is None else "standardised targets"
        about = {"file": name, "inputs": program.inputs, "outputs": outputs, "shape": program.outputs}
        files = {name: program_writer(program, options.format)}
        folder = save_classifier(options.out, *given, files, about, pipeline, targets=targets)
    for name in ("config.json", FORMATS[options.format]):
        print(f"{Path(folder) / name}")
