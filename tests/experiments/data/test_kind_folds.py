"""Folds that hold out whole kinds of shapes."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest

from ccnn_geo.datasets import ShapeFolder
from ccnn_geo.experiments.data import kind_folds, psb_folder
from ccnn_geo.experiments.data.kind_folds import held_out, kind_folder

SIZES = {"jet": 6, "balloon": 1, "biplane": 5, "helicopter": 3, "dirigible": 2}


@pytest.fixture
def psb(tmp_path):
    """As ``psb_folder`` writes it: five kinds of aircraft, two of each other class."""
    kinds = {f"aircraft/{kind}": count for kind, count in SIZES.items()}
    kinds |= {f"{name}/{kind}": 4 for name in psb_folder.CLASSES[1:] for kind in ("a/b", "a")}
    paths = [path for path, count in kinds.items() for _ in range(count)]
    pos = np.arange(len(paths), dtype=np.float32)[:, None, None] * np.ones((1, 4, 3), np.float32)
    np.savez(tmp_path / "psb.npz", path=np.array(paths), pos=pos, normal=pos)
    psb_folder.main([str(tmp_path / "psb.npz"), str(tmp_path / "psb")])
    return tmp_path / "psb", paths


def files(folder, part):
    """Numbers of the shapes, which are what their positions are."""
    return sorted(int(np.load(path)[0, 0]) for path in (folder / part).glob("*/*.npy"))


def test_each_kind_is_held_out_in_four_draws(psb, tmp_path):
    root, paths = psb
    found = [kind_folder(root, tmp_path / f"draw-{draw}", draw) for draw in range(4, 8)]
    held = [files(folder, "validation") for folder in found]
    counts = Counter(chain(*held))
    assert counts == {i: 1 if path.startswith("aircraft") else 2 for i, path in enumerate(paths)}
    for folder, own in zip(found, held, strict=True):
        assert files(folder, "train") == [i for i in range(len(paths)) if i not in own]
        assert not {paths[i] for i in own} & {paths[i] for i in files(folder, "train")}
        for part in ("train", "validation"):
            assert len(ShapeFolder(folder, part)) == len(
                files(folder, part)
            )  # opens: all classes are in both
        assert all(path.is_symlink() for path in folder.glob("*/*/*.npy"))


def test_partings_are_even_and_differ(psb):
    _, paths = psb
    kinds = {str(i): path for i, path in enumerate(paths)}
    partings = []
    for first in range(0, 24, 4):
        draws = [held_out(kinds, draw) for draw in range(first, first + 4)]
        shapes = [sum(SIZES[kind.split("/")[1]] for kind in held if "aircraft" in kind) for held in draws]
        assert sum(shapes) == 17 and max(shapes) <= 7 and min(shapes) >= 1
        partings.append(frozenset(frozenset(held) for held in draws))
    assert len(set(partings)) > 3
    assert held_out(kinds, 5) == held_out(dict(reversed(kinds.items())), 5)


def test_the_command(psb, tmp_path, capsys):
    root, paths = psb
    held = held_out({str(i): path for i, path in enumerate(paths)}, 2)
    kind_folds.main([str(root), str(tmp_path / "out"), "--draw", "2"])
    count = sum(Counter(paths)[kind] for kind in held)
    assert capsys.readouterr().out == (
        f"{tmp_path / 'out'}: {len(paths) - count} train, {count} validation\n"
    )


def test_errors_say_what_was_given_and_expected(psb, tmp_path):
    root, _ = psb
    with pytest.raises(ValueError, match="expected a draw of 0 or more, got -1"):
        kind_folder(root, tmp_path / "out", -1)
    with pytest.raises(ValueError, match="expected two kinds or more of each class, got one of b"):
        held_out({"1": "a/x", "2": "a/y", "3": "b/x"}, 0)
    table = root / kind_folds.KINDS
    whole = table.read_text()
    for text, said in (
        (whole.replace("file,", "path,"), "expected the header file,kind, got path,kind"),
        (whole + whole.splitlines()[1] + "\n", "expected each file once, got 1 a second time"),
    ):
        table.write_text(text)
        with pytest.raises(ValueError, match=said):
            kind_folder(root, tmp_path / "out", 0)
    table.unlink()
    with pytest.raises(FileNotFoundError, match="expected a table of files and kinds"):
        kind_folder(root, tmp_path / "out", 0)
    assert not (tmp_path / "out").exists()
