"""The picture of docs/concepts.md shows the same sum twice."""

import torch

from ccnn_geo.experiments.studies import concept_picture


def test_picture_is_drawn(tmp_path, capsys):
    concept_picture.main(["--out", str(tmp_path / "concept.png")])
    assert (tmp_path / "concept.png").stat().st_size > 20_000
    assert capsys.readouterr().out.strip() == str(tmp_path / "concept.png")


def test_sums_over_pixels_and_over_as_many_points_of_them_agree():
    """With the pixels as points, whose weights are all 1, the two panels are one."""
    conv, pixels = concept_picture.layer(), concept_picture.pixel_positions()
    image = concept_picture.signal(pixels)
    with torch.no_grad():
        on_grid = concept_picture.sum_of_pixels(conv, image)
        on_points = concept_picture.sum_of_points(conv, pixels, torch.ones(len(pixels)))
    torch.testing.assert_close(on_points, on_grid.flatten(), rtol=1e-4, atol=1e-5)
