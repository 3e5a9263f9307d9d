"""Speech-0.5x of Table 1: trained on raw speech at one sampling rate, tested at half of it without retraining.

    python -m ccnn_geo.experiments.studies.resolution --root FOLDER        # with fsdd/, as fsdd_folder writes it
    python -m ccnn_geo.experiments.studies.resolution --scale paper --root FOLDER        # with speech_commands/

The paper's half rate is every second sample, without a filter. The study adds three rows: the same after a low-pass;
the network without the new rate, with its taps as trained on a recording that seems to run twice as fast; and the full
rate of the low-passed recording, which is the most that half the rate can hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.signal import resample_poly
from torch import Tensor

from ccnn_geo import CCNN
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.engine.task_report import SIZES
from ccnn_geo.experiments.engine.training_job import train
from ccnn_geo.experiments.studies.table1 import SHARED, SPEECH
from ccnn_geo.export.trained import read_network
from ccnn_geo.training.data.families import make_data
from ccnn_geo.visualization.canvas import canvas, save

SMALL = {**SHARED, **SPEECH, "trainer__max_epochs": 20}
PAPER = {"4,140": (98.34, 96.22), "6,380": (98.44, 96.44)}
"""Test accuracies at 1x and 0.5x of both sizes."""
FOLDERS = {"small": "fsdd", "paper": "speech_commands"}
PARTS = ("validation", "test")


def low_passed_half(x: Tensor) -> Tensor:
    """Half of the samples ``[B, 1, L]`` after a low-pass at the new Nyquist frequency."""
    return torch.from_numpy(resample_poly(x.cpu().numpy(), 1, 2, axis=2).astype(np.float32)).to(x.device)


def low_passed(x: Tensor) -> Tensor:
    """The same content at the full rate."""
    full = resample_poly(low_passed_half(x).cpu().numpy(), 2, 1, axis=2).astype(np.float32)
    return torch.from_numpy(full)[..., : x.size(2)].to(x.device)


FORMS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "1x": (lambda x: x, 1),
    "0.5x, every second sample (the paper's)": (lambda x: x[..., ::2], 2),
    "0.5x, after a low-pass": (low_passed_half, 2),
    "0.5x, every second sample, rate not told": (lambda x: x[..., ::2], 1),
    "1x, of the low-passed: what 0.5x can hold": (low_passed, 1),
}
"""Change of a recording, and the spacing of its samples for the network, in units of that of training."""
HALF = "0.5x, every second sample (the paper's)"


@torch.no_grad()
def accuracies(model: CCNN, recordings: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Accuracy in percent of the same weights on each form of the same recordings ``[B, 1, L]``."""
    model.eval()
    right: dict[str, list[Tensor]] = {name: [] for name in FORMS}
    for x, y in recordings:
        spacing = 2 / (x.size(2) - 1)  # as in training: a recording spans [-1, 1]
        for name, (change, step) in FORMS.items():
            right[name].append(model(change(x), spacing=step * spacing).argmax(dim=1) == y)
    return {name: 100 * torch.cat(found).float().mean().item() for name, found in right.items()}


@torch.no_grad()
def power_beyond_half(model: CCNN, length: int) -> float:
    """Largest share, over the layers, of a kernel's power at frequencies that half the rate cannot carry."""
    shares = []
    for conv in model.convs:
        taps = conv.kernel(conv.kernel_taps((length,), 2 / (length - 1))[0])
        power = torch.fft.rfft(taps, n=2 * length, dim=0).abs().square()
        shares.append((power[length // 2 :].sum() / power.sum()).item())
    return max(shares)


def across_rates(options: Options, size: str, seed: int, folder: Path) -> Numbers:
    """Trains at the full rate and evaluates all forms."""
    small, root = options.scale == "small", options.data_root
    place = root / FOLDERS["small"] if small else root
    found = train(
        folder, f"speech_raw/{SIZES[size]}", seed, **(SMALL if small else {}), data__root=str(place)
    )
    hparams, network = read_network(folder / "run" / "checkpoints" / "last.ckpt")
    data = make_data(hparams["data"])
    data.setup("fit")
    data.setup("test")
    found["validation"] = accuracies(network, data.val_dataloader())
    found["test"] = accuracies(network, data.test_dataloader())
    found["beyond_half"] = 100 * power_beyond_half(network, data.test_set[0][0].size(1))
    return found


def sizes(options: Options) -> Sequence[str]:
    """Names of the networks of a scale."""
    return ("4,140",) if options.scale == "small" else tuple(PAPER)


def jobs(options: Options) -> list[Job]:
    """A training per size and seed.

    Raises:
        FileNotFoundError: If there are no recordings.
    """
    place = options.data_root / FOLDERS[options.scale]
    if not place.is_dir():
        raise FileNotFoundError(f"resolution: no {place}, expected {STUDY.data}")
    small = options.scale == "small"
    return [
        Job(f"{'small' if small else SIZES[size]}-{seed}", partial(across_rates, options, size, seed))
        for seed in options.seeds
        for size in sizes(options)
    ]


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a row per form, and draws the picture."""
    lines = []
    if options.scale == "small":
        lines += [
            "Small scale: CCNN-4,16 on 2,400 spoken digits at 8 kHz instead of Speech Commands at 16 kHz.",
            "",
        ]
    for size in sizes(options):
        name = "small" if options.scale == "small" else SIZES[size]
        found = [numbers[f"{name}-{seed}"] for seed in options.seeds]
        whole, half = PAPER[size]
        paper = {"1x": f"{whole:.2f}", HALF: f"{half:.2f}"}
        picture = f"{name}.png"
        lines += [
            f"{found[0]['parameters']:,} parameters; power of the kernels beyond half the rate: "
            f"{mean_and_deviation([n['beyond_half'] for n in found])} % in the layer that has the most.",
            "",
            f"| the same weights on | validation | test | test, difference to 1x | the paper, CCNN-{size} |",
            "|---|---|---|---|---|",
        ]
        for form in FORMS:
            cells = [mean_and_deviation([n[part][form] for n in found]) for part in PARTS]
            change = mean_and_deviation([n["test"][form] - n["test"]["1x"] for n in found])
            lines.append(f"| {form} | {' | '.join(cells)} | {change} | {paper.get(form, '')} |")
        draw_forms(found, {"1x": whole, HALF: half}, folder / picture)
        lines += ["", f"![Test accuracy of each form]({picture})", ""]
    return "\n".join(lines)


def draw_forms(found: Sequence[Numbers], paper: Mapping[str, float], path: Path) -> None:
    """Draws test accuracy of each form, a dot per seed, and the paper's."""
    figure = canvas(8, 2.8)
    axes = figure.subplots()
    for i, form in enumerate(FORMS):
        values = [n["test"][form] for n in found]
        axes.barh(i, sum(values) / len(values), 0.6, color="C0", alpha=0.7)
        axes.plot(values, [i] * len(values), "k.", ms=4)
        if form in paper:
            axes.plot(paper[form], i, "C3D", ms=6, label="the paper" if form == "1x" else None)
    axes.set_yticks(range(len(FORMS)), list(FORMS))
    axes.invert_yaxis()
    axes.set(xlabel="test accuracy, %", xlim=(0, 100))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(1, 0))
    save(figure, path)


STUDY = Study(
    "resolution",
    "trained at one sampling rate, tested at half of it",
    'Table 1, Speech-0.5x, and Sec. 5 of the paper, "Generalization across resolutions".',
    jobs,
    report,
    data="fsdd/ as fsdd_folder writes it (small), or speech_commands/ (paper)",
    seeds=2,
)

if __name__ == "__main__":
    main(STUDY)
