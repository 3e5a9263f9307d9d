"""The picture of the README: both files are answered by the same network, and drawn."""

import numpy as np

from ccnn_geo import load
from ccnn_geo.experiments.studies import two_samplings_picture as picture


def test_both_samplings_are_answered_and_drawn(tmp_path, capsys, monkeypatch):
    grid = np.zeros((12, 12, 12), np.uint8)
    grid[3:9, 3:9, 5:7] = grid[3:5, 3:9, 5:11] = 1  # a seat and a back
    np.save(tmp_path / "grid.npy", grid)
    cells = np.argwhere(grid)
    rng = np.random.default_rng(0)
    np.save(tmp_path / "points.npy", cells[rng.integers(len(cells), size=300)] + rng.random((300, 3)))
    asked, titles = [], []
    model = load(picture.MODEL)

    def answer(path):
        asked.append(path)
        found = model(path)
        titles.append(f"{found.label}, {100 * found.probability:.0f} %")
        return found

    shown = []
    monkeypatch.setattr(picture, "load", lambda name: answer)
    monkeypatch.setattr(
        picture,
        "save",
        lambda figure, path: shown.append([axes.get_title() for axes in figure.axes]) or path,
    )
    out = str(tmp_path / "out.png")
    picture.main([str(tmp_path / "grid.npy"), str(tmp_path / "points.npy"), "--out", out])
    assert capsys.readouterr().out == f"{out}\n"
    assert [path.name for path in asked] == ["grid.npy", "points.npy"]
    assert shown == [[f"voxel grid: {titles[0]}", f"points of its mesh: {titles[1]}"]]
