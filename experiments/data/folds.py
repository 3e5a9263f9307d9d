"""Folds of a folder of shapes for cross-validation.

    python -m ccnn_geo.experiments.data.folds ROOT OUT --fold 0

Joins ``ROOT/train`` and ``ROOT/validation`` and splits them again into ``OUT/train`` and ``OUT/validation``, as links.
In each class, sorted by name, every fourth shape is for validation, starting at the fold's number. Fold 3
of a folder by ``psb_folder`` is that folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ccnn_geo.datasets.base.class_folders import class_folders, split_folders
from ccnn_geo.datasets.base.find_layout import labelled_files
from ccnn_geo.datasets.shapes.shape_folder import SHAPES
from ccnn_geo.experiments.data.clouds import tell
from ccnn_geo.io.files.sample_files import FileKind, list_samples
from ccnn_geo.io.files.storage import exclusive
from ccnn_geo.io.shapes.part_labels import labels_beside

Chosen = Mapping[str, Mapping[str, Sequence[Path]]]
"""Files of each class of each split."""

FOLDS = 4
PARTS = ("train", "validation")


def fold_folder(root: Path, out: Path, fold: int, folds: int = FOLDS, kind: FileKind = SHAPES) -> Path:
    """Writes a fold for cross-validation as a folder of links (or copies without links), unless the folder exists.

    Args:
        root: ``train/<class>/<file>``, and perhaps ``validation/``.
        out: The folder; it is complete or absent.
        fold: Number of the fold, from 0.
        folds: Number of folds.
        kind: Files that are shapes; labels of their parts are included.

    Returns:
        ``out``.

    Raises:
        FileNotFoundError: If there are no shapes.
        ValueError: For an unknown fold, a class with fewer shapes than folds, or a name that is in both splits.
    """
    if not 0 <= fold < folds or folds < 2:
        raise ValueError(f"fold_folder: expected a fold from 0 to {folds - 1} of 2 or more, got {fold}")

    def choose() -> Chosen:
        parts = [class_folders(root, part) for part in split_folders(root) if part in PARTS]
        shapes = {
            name: _shapes(root, name, [part[name] for part in parts], kind)
            for name in labelled_files(root, "train", kind).classes
        }
        few = [f"{name} ({len(files)})" for name, files in shapes.items() if len(files) < folds]
        if few:
            raise ValueError(f"{root}: expected {folds} shapes or more in each class, got {', '.join(few)}")
        held = {name: files[fold::folds] for name, files in shapes.items()}
        rest = {name: [file for file in files if file not in held[name]] for name, files in shapes.items()}
        return {"train": rest, "validation": held}

    return linked_folder(out, choose)


def linked_folder(out: Path, choose: Callable[[], Chosen]) -> Path:
    """Writes a folder of links (or copies without links), complete or not at all, unless the folder exists.

    Args:
        out: The folder.
        choose: Returns the files of each class of each split; called only if the folder does not exist.

    Returns:
        ``out``.
    """
    with exclusive(out.parent, out.name):
        if out.is_dir():
            return out
        chosen, making = choose(), out.with_name(f".{out.name}.tmp")
        shutil.rmtree(making, ignore_errors=True)
        for part, classes in chosen.items():
            for name, files in classes.items():
                (making / part / name).mkdir(parents=True)
                for file in files:
                    for own in filter(None, (file, labels_beside(file))):
                        _link(own, making / part / name / own.name)
        os.replace(making, out)
    return out


def _shapes(root: Path, name: str, folders: Sequence[Path], kind: FileKind) -> list[Path]:
    """Lists the shapes of a class in both splits, by name."""
    found = [file for folder in folders for file in list_samples(folder, kind).paths]
    files = {file.name: file for file in found}
    if len(files) < len(found):
        raise ValueError(f"{root}: expected a name once, but some of {name} are in train and in validation")
    return [files[name] for name in sorted(files)]


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source.resolve())
    except OSError:  # a disk or a system without links
        shutil.copy2(source, target)


def main(argv: list[str] | None = None) -> None:
    """Writes one fold and prints the number of files of each split."""
    command(__doc__, argv, fold_folder, "fold")


def command(doc: str, argv: list[str] | None, write: Callable[[Path, Path, int], Path], number: str) -> None:
    """Runs the command line ``ROOT OUT --NUMBER n`` that writes a folder of links.

    Args:
        doc: Docstring of the module; the help shows its first line.
        argv: Arguments; by default those of the command line.
        write: Writes the folder; its files are then counted by split.
        number: Name of the number.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(f"--{number.replace('_', '-')}", type=int, required=True)
    args = parser.parse_args(argv)
    out = write(args.root, args.out, getattr(args, number))
    tell(out, {part: sum(1 for _ in (out / part).glob("*/*")) for part in PARTS})


if __name__ == "__main__":
    main()
