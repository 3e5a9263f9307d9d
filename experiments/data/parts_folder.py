"""Labelled meshes of the Princeton benchmark as a folder: a mesh and the parts of its faces, by category.

    python -m ccnn_geo.experiments.data.parts_folder labeled_psb.npz OUT
    python -m ccnn_geo.experiments.data.parts_folder labeled_psb.npz OUT --fold 1

Reads an archive of meshes (``vertices``, ``faces``, ``face_label``, their offsets, ``category``, ``part_names``) and
writes ``OUT/train|validation/<Category>/<id>.off`` and ``<id>_labels.txt``. Every fifth mesh of a category is for
validation, starting at the fold's number: 209 for training and 57 for validation in fold 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ccnn_geo.datasets.shapes.meshes import Mesh, write_off
from ccnn_geo.experiments.data.clouds import tell

FOLDS = 5


def main(argv: list[str] | None = None) -> None:
    """Writes the folder and prints the number of meshes of each split."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fold", type=int, default=0, choices=range(FOLDS))
    options = parser.parse_args(argv)
    count = dict.fromkeys(("train", "validation"), 0)
    seen: dict[str, int] = {}
    for category, name, mesh, labels in _meshes(options.archive):
        rank = seen.get(category, 0)
        seen[category] = rank + 1
        part = "validation" if rank % FOLDS == options.fold else "train"
        folder = options.out / part / category
        folder.mkdir(parents=True, exist_ok=True)
        write_off(folder / f"{name}.off", mesh)
        (folder / f"{name}_labels.txt").write_text(labels, encoding="utf-8")
        count[part] += 1
    tell(options.out, count)


def _meshes(archive: Path) -> Iterator[tuple[str, str, Mesh, str]]:
    """Yields category, number, mesh and labels of each mesh."""
    with np.load(archive, allow_pickle=False) as data:
        found = {key: data[key] for key in data.files}
    for i, category in enumerate(found["category"].tolist()):
        points = slice(*found["vertex_offset"][i : i + 2].tolist())
        faces = slice(*found["face_offset"][i : i + 2].tolist())
        mesh = found["vertices"][points] / 32767, found["faces"][faces].astype(np.int64)
        names = str(found["part_names"][category]).split(";")
        labels = _parts(names, found["face_label"][faces])
        yield str(found["category_names"][category]), str(found["model_id"][i]), mesh, labels


def _parts(names: list[str], label: np.ndarray) -> str:
    rows = [(name, (np.flatnonzero(label == k) + 1).tolist()) for k, name in enumerate(names)]
    return "".join(f"{name}\n{' '.join(map(str, faces))}\n" for name, faces in rows if faces)


if __name__ == "__main__":
    main()
