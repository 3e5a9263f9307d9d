"""The command ``ccnn-geo show kernels | cloud | run``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ccnn_geo._base.extras import needs
from ccnn_geo.cli.terminal import OneLineParser, add_command

MODEL = "A checkpoint of train, or a run for its best checkpoint; runs/NAME is the newest run."


def main(arguments: list[str]) -> None:
    """Draws one picture and prints its path."""
    options = _parser().parse_args(arguments)
    with needs("viz", f"show {options.picture}"):
        path = {"kernels": _kernels, "cloud": _cloud, "run": _run}[options.picture](options)
    print(path)


def _parser() -> OneLineParser:
    parser = OneLineParser(prog="ccnn-geo show", description="Draws pictures of trained networks.")
    pictures = parser.add_subparsers(dest="picture", required=True, metavar="kernels | cloud | run")

    kernels = add_command(pictures, "kernels", "Draws the kernels of each layer.")
    kernels.add_argument("model", help=MODEL)
    kernels.add_argument("--layer", type=int, nargs="+", help="Layers, 0 for the stem; all by default.")
    kernels.add_argument(
        "--channels", type=int, nargs="+", help="Channels; the strongest of each layer by default."
    )
    kernels.add_argument(
        "--resolution", type=int, help="Samples along an axis, in place of the taps of the training."
    )
    kernels.add_argument(
        "--period", type=int, help="Taps between marks; the row length for sequences of pixels."
    )

    cloud = add_command(pictures, "cloud", "Colours the points of a file or sample by what the network sees.")
    cloud.add_argument("model", help=MODEL)
    cloud.add_argument("file", nargs="?", help="A mesh or cloud that predict can read.")
    cloud.add_argument("--sample", type=int, help="Number of a validation sample, in place of a file.")
    cloud.add_argument("--by", choices=("evidence", "kernel", "response"), default="evidence")
    cloud.add_argument(
        "--class", dest="label", help="The class that the evidence is for; the predicted one by default."
    )
    cloud.add_argument("--layer", type=int, help="Layer of the kernel; 0, the stem, by default.")
    cloud.add_argument("--channel", type=int, help="Channel of the kernel; the strongest by default.")
    cloud.add_argument("--point", type=int, help="Point at the kernel's centre; the middle one by default.")

    run = add_command(pictures, "run", "Draws window widths per layer, loss and accuracy over the training.")
    run.add_argument("runs", nargs="+", metavar="RUN", help="Folders of runs; runs/NAME is the newest run.")

    for picture in (kernels, cloud, run):
        picture.add_argument(
            "--out", type=Path, help="File to write, .png or .html; in the run's folder by default."
        )
        picture.add_argument(
            "--html", action="store_true", help="Write an interactive page that works offline."
        )
    return parser


def _kernels(options: argparse.Namespace) -> Path:
    from ccnn_geo.visualization import Trained, draw_kernels, kernel_page, render_kernels, save

    folder = _folder_of(options.model)
    path = _target(options, folder, "kernels")
    if options.period is not None and (_is_page(path) or options.period < 1):
        raise argparse.ArgumentError(
            None, f"--period: expected 1 tap or more, and a .png, got {options.period}"
        )
    layers = render_kernels(Trained.load(options.model).network, options.layer, options.resolution)
    shown = options.model if folder == Path() else folder  # a packaged network has no folder here
    title = f"{shown}: kernels"
    if _is_page(path):
        return save(kernel_page(layers, options.channels, title), path)
    return save(draw_kernels(layers, options.channels, title, options.period), path)


def _cloud(options: argparse.Namespace) -> Path:
    from ccnn_geo.visualization import Trained, draw_sample, sample_of_data, sample_of_file, sample_page, save
    from ccnn_geo.visualization.colorings import by_evidence, by_kernel, by_response

    if (options.file is None) == (options.sample is None):
        raise argparse.ArgumentError(None, "cloud: expected either a FILE or --sample NUMBER")
    for flag, given, ways in (
        ("--class", options.label, ("evidence",)),
        ("--layer", options.layer, ("kernel", "response")),
        ("--channel", options.channel, ("kernel", "response")),
        ("--point", options.point, ("kernel",)),
    ):
        if given is not None and options.by not in ways:
            raise argparse.ArgumentError(
                None, f"{flag}: expected --by {' or '.join(ways)}, got --by {options.by}"
            )
    name = f"sample{options.sample}" if options.file is None else Path(options.file).stem
    path = _target(options, _folder_of(options.model), f"{name}_{options.by}")
    trained = Trained.load(options.model)
    from_file = options.file is not None
    sample = sample_of_file(trained, options.file) if from_file else sample_of_data(trained, options.sample)
    layer = options.layer or 0
    if options.by == "evidence":
        colorings = by_evidence(trained, sample, options.label)
    elif options.by == "kernel":
        colorings = {"kernel": by_kernel(trained, sample, layer, options.channel, options.point)}
    else:
        colorings = {"response": by_response(trained, sample, layer, options.channel)}
    if _is_page(path):
        return save(sample_page(sample, colorings), path)
    return save(draw_sample(sample, next(iter(colorings.values()))), path)


def _run(options: argparse.Namespace) -> Path:
    from ccnn_geo.io.models.checkpoint import run_folder
    from ccnn_geo.visualization import draw_runs, read_runs, run_page, save

    folders = [run_folder(Path(folder).expanduser(), Path("metrics.csv")) for folder in options.runs]
    path = _target(options, folders[0], "training")
    runs = read_runs(folders)
    return save(run_page(runs) if _is_page(path) else draw_runs(runs), path)


def _folder_of(model: str) -> Path:
    from ccnn_geo.export.trained import checkpoint_file
    from ccnn_geo.training.runs import run_of

    return run_of(checkpoint_file(model))


def _target(options: argparse.Namespace, folder: Path, name: str) -> Path:
    """The path of the picture."""
    if options.out is None:
        return folder / f"{name}.{'html' if options.html else 'png'}"
    expected = (".html",) if options.html else (".png", ".html")
    if options.out.suffix not in expected:
        raise argparse.ArgumentError(
            None, f"--out: expected a name in {' or '.join(expected)}, got {options.out}"
        )
    return options.out.expanduser()


def _is_page(path: Path) -> bool:
    return path.suffix == ".html"
