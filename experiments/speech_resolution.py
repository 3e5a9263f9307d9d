"""Spoken digits as raw waveforms: trained at one sampling rate, tested at half of it without retraining (Table 1).

    python -m ccnn_geo.experiments.speech_resolution fsdd.npz

``fsdd.npz`` holds the Free Spoken Digit Dataset: ``audio`` (int16, 8 kHz, all recordings one after the other), where
they begin and end (``offset``), and for each its ``label``, its ``index`` among those of its speaker and digit, and
whether it ``is_test`` (the official part). Of the training part every tenth index validates.

Speech-0.5x of the paper is subsampled: every second sample, without a filter. The same after a low-pass is reported
beside it, and what a kernel gives that is not told the rate: its taps as trained, on a recording that seems to run
twice as fast.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.signal import resample_poly
from torch import Tensor

from ccnn_geo import CCNN
from ccnn_geo.experiments.timing import machine
from ccnn_geo.model import PRESETS
from ccnn_geo.training.schedule import warmup_cosine

RATE = 8000
EVALUATION_BATCH = 100


class Recordings(NamedTuple):
    """Waveforms ``x [N, 1, L]`` that begin at the first sample, zero after ``size [N]``; labels ``y [N]``."""

    x: Tensor
    size: Tensor
    y: Tensor

    def placed(self, start: Tensor) -> Tensor:
        """Waveforms ``[N, 1, L]`` moved to the right by ``start [N]``; only silence may leave, since it comes back."""
        index = torch.arange(self.x.size(2)) - start.unsqueeze(1)
        return self.x.gather(2, index.remainder(self.x.size(2)).unsqueeze(1))

    def centred(self) -> Tensor:
        """Waveforms ``[N, 1, L]`` with as much silence before as after."""
        return self.placed((self.x.size(2) - self.size) // 2)

    def shifted(self) -> Tensor:
        """Waveforms ``[N, 1, L]`` at random places."""
        room = self.x.size(2) - self.size
        return self.placed((torch.rand(len(room)) * (room + 1)).long())

    def part(self, index: Tensor) -> Recordings:
        """The recordings of an index or mask."""
        return Recordings(self.x[index], self.size[index], self.y[index])


def load(path: Path, length: int, normalise: str) -> dict[str, Recordings]:
    """Training, validation and test part; longer recordings lose both ends."""
    with np.load(path, allow_pickle=False) as data:
        audio, offset, index, is_test = (data[name] for name in ("audio", "offset", "index", "is_test"))
        label = torch.from_numpy(data["label"].astype(np.int64))
    x, size = torch.zeros(len(label), 1, length), torch.empty(len(label), dtype=torch.long)
    for i, (start, end) in enumerate(pairwise(offset.tolist())):
        start += max(0, end - start - length) // 2
        wave = audio[start : min(end, start + length)].astype(np.float32)
        if normalise == "recording":
            wave = (wave - wave.mean()) / max(wave.std(), 1.0)
        x[i, 0, : len(wave)] = torch.from_numpy(wave)
        size[i] = len(wave)
    test, held_out = torch.from_numpy(is_test), torch.from_numpy(index % 10 == 7)
    masks = {"train": ~test & ~held_out, "validation": ~test & held_out, "test": test}
    if normalise == "channel":  # by the training part, without the silence that fills up
        inside = torch.arange(length) < size.view(-1, 1, 1)
        heard = x[masks["train"]][inside[masks["train"]]]
        x = (x - heard.mean()) / heard.std() * inside
    return {name: Recordings(x, size, label).part(mask) for name, mask in masks.items()}


def low_passed_half(x: Tensor) -> Tensor:
    """Half of the samples ``[N, 1, L]`` after a low-pass at the new Nyquist frequency."""
    return torch.from_numpy(resample_poly(x.numpy(), 1, 2, axis=2).astype(np.float32))


def low_passed(x: Tensor) -> Tensor:
    """The same content at the full rate."""
    full = resample_poly(low_passed_half(x).numpy(), 2, 1, axis=2).astype(np.float32)
    return torch.from_numpy(full)[..., : x.size(2)]


@torch.no_grad()
def accuracy(model: CCNN, x: Tensor, y: Tensor, spacing: float) -> float:
    """Share of right answers in percent."""
    model.eval()
    logits = torch.cat([model(part, spacing=spacing) for part in x.split(EVALUATION_BATCH)])
    return 100 * (logits.argmax(dim=1) == y).float().mean().item()


def across_rates(model: CCNN, recordings: Recordings, spacing: float) -> Iterator[tuple[str, float]]:
    """Accuracy of the same weights on each form of the same recordings."""
    x, y = recordings.centred(), recordings.y
    yield "1x", accuracy(model, x, y, spacing)
    yield "0.5x, every second sample (the paper's)", accuracy(model, x[..., ::2], y, 2 * spacing)
    yield "0.5x, after a low-pass", accuracy(model, low_passed_half(x), y, 2 * spacing)
    yield "0.5x, every second sample, rate not told", accuracy(model, x[..., ::2], y, spacing)
    yield "1x, of the low-passed: what 0.5x can hold", accuracy(model, low_passed(x), y, spacing)


@torch.no_grad()
def power_beyond_half(model: CCNN, length: int, spacing: float) -> list[float]:
    """Share of each kernel's power at frequencies that half the rate cannot carry."""
    shares = []
    for conv in model.convs:
        taps = conv.kernel(conv.kernel_taps((length,), spacing)[0])
        power = torch.fft.rfft(taps, n=2 * length, dim=0).abs().square()
        shares.append((power[length // 2 :].sum() / power.sum()).item())
    return shares


def train(model: CCNN, data: dict[str, Recordings], spacing: float, args: argparse.Namespace) -> None:
    """AdamW with warm-up and cosine decay; prints the loss and the validation accuracy."""
    recordings = data["train"]
    steps = -(-len(recordings.y) // args.batch_size) * args.epochs
    warmup = min(steps, steps * args.warmup // max(1, args.epochs))
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=args.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warmup_cosine(step, warmup, steps))
    start = time.perf_counter()
    for epoch in range(1, args.epochs + 1):
        model.train()
        total = 0.0
        for index in torch.randperm(len(recordings.y)).split(args.batch_size):
            batch = recordings.part(index)
            loss = torch.nn.functional.cross_entropy(model(batch.shifted(), spacing=spacing), batch.y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(index)
        line = f"epoch {epoch}: loss {total / len(recordings.y):.3f}"
        if epoch % args.validate_every == 0 or epoch == args.epochs:
            x, y = data["validation"].centred(), data["validation"].y
            whole, half = accuracy(model, x, y, spacing), accuracy(model, x[..., ::2], y, 2 * spacing)
            line += f", validation {whole:.1f} % at 1x, {half:.1f} % at 0.5x"
        print(f"{line}, {(time.perf_counter() - start) / 60:.1f} min", flush=True)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--preset", default="ccnn_4_32", choices=PRESETS)
    parser.add_argument("--length", type=int, default=RATE, help="samples of a recording, 1 s by default")
    parser.add_argument("--omega-0", type=float, default=100.0)
    parser.add_argument(
        "--window", type=float, default=0.075, help="initial width, in units of half the length"
    )
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--weight-decay", type=float, default=1e-6)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--warmup", type=int, default=3, help="epochs")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--normalise", default="recording", choices=("recording", "channel"))
    parser.add_argument("--validate-every", type=int, default=2, help="epochs")
    parser.add_argument(
        "--weights", type=Path, help="file to save weights to, or to load them from if it exists"
    )
    parser.add_argument("--no-test", action="store_true", help="validation only, to choose settings by")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Trains, and prints the accuracy of the last epoch's weights at both rates."""
    args = parse(argv)
    torch.manual_seed(args.seed)
    data = load(args.archive, args.length, args.normalise)
    spacing = 2 / (args.length - 1)  # the recording spans [-1, 1], at either rate
    model = CCNN.from_preset(
        args.preset, dim=1, in_channels=1, out_channels=int(data["train"].y.max()) + 1, causal=True,
        omega_0=args.omega_0, window_init=args.window, dropout=args.dropout,
    )  # fmt: skip
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{machine()}; {args.preset}, {parameters:,} parameters")
    print(", ".join(f"{len(part.y)} {name}" for name, part in data.items()), flush=True)
    if args.weights is not None and args.weights.exists():
        model.load_state_dict(torch.load(args.weights, weights_only=True))
    else:
        train(model, data, spacing, args)
        if args.weights is not None:
            torch.save(model.state_dict(), args.weights)
    shares = power_beyond_half(model, args.length, spacing)
    print("power of the kernels beyond half the rate:", " ".join(f"{share:.1%}" for share in shares))
    parts = ["validation"] if args.no_test else ["validation", "test"]
    found = [dict(across_rates(model, data[part], spacing)) for part in parts]
    print(f"{'accuracy in %':44s}" + "".join(f"{part:>12s}" for part in parts))
    for name in found[0]:
        print(f"{name:44s}" + "".join(f"{row[name]:12.2f}" for row in found))


if __name__ == "__main__":
    main()
