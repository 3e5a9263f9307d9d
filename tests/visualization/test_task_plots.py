"""Truths and answers as pictures: what is drawn where, for classes and for numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ccnn_geo.nn import Targets
from ccnn_geo.training import RegressionScores, Scores, SegmentationScores
from ccnn_geo.training.tasks.scene import Scene, telling_scene
from ccnn_geo.visualization import run_plots, task_plots
from ccnn_geo.visualization.style import PALETTE, in_style

NAN = float("nan")


@pytest.fixture
def drawn(monkeypatch):
    """The figures, in the place of files."""
    figures = {}
    for module in (run_plots, task_plots):
        monkeypatch.setattr(module, "save", lambda figure, path: figures.setdefault(path.name, figure))
    return figures


def regression(scene=None) -> RegressionScores:
    targets = Targets(("height", "gap"), ("m", ""), (0.0, 0.0), (1.0, 1.0))
    truth = torch.tensor([[1.0, NAN], [2.0, 5.0]])
    two = (0.5, 0.25)
    return RegressionScores(targets, two, two, two, two, 0.1, truth, truth.nan_to_num() + 1, scene=scene)


def test_parity_has_a_picture_for_each_target_of_what_is_known(drawn):
    run_plots.draw_test(Path("parity_test_clouds.png"), regression(), "clouds")
    first, second = drawn["parity_test_clouds.png"].axes
    np.testing.assert_array_equal(first.lines[0].get_xydata(), [[1, 2], [2, 3]])
    np.testing.assert_array_equal(second.lines[0].get_xydata(), [[5, 6]])
    assert first.get_xlabel() == "height, m: truth" and second.get_xlabel() == "gap: truth"


def test_a_field_is_drawn_by_truth_answer_and_difference(drawn):
    pos = torch.tensor([[0.0, 0.0, 2.0], [1.0, 0.0, 1.0]])
    scene = Scene(
        pos, torch.tensor([[1.0, NAN], [2.0, 5.0]]), torch.tensor([[1.5, 0.0], [0.0, 6.0]]), "a.npz"
    )
    run_plots.draw_test(Path("parity_test.png"), regression(scene), "clouds")
    panels = [axes for axes in drawn["scene_test.png"].axes if axes.get_title()]
    values = [axes.collections[1].get_array().tolist() for axes in panels]
    # the highest point is drawn last
    assert values == [[2.0, 1.0], [0.0, 1.5], [-2.0, 0.5], [5.0], [6.0, 0.0], [1.0]]
    assert "a.npz" in drawn["scene_test.png"].get_suptitle()


def test_a_segmentation_shows_where_it_is_wrong(drawn, tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch,train_loss,train_acc,val_loss,val_acc\n1,1.0,0.5,1.0,0.5\n")
    scene = Scene(torch.rand(4, 2), torch.tensor([0, 1, 1, -1]), torch.tensor([0, 1, 0, 1]))
    scores = SegmentationScores(2 / 3, 0.75, 0.4, torch.tensor([[1, 0], [1, 1]]), ("a", "b"), "", scene)
    run_plots.draw_training(tmp_path, scores)
    assert set(drawn) == {"curves.png", "confusion.png", "scene.png"}
    truth, answer, wrong = drawn["scene.png"].axes
    assert (
        truth.collections[1].get_array().tolist() == [0, 1, 1]
        and len(truth.collections[0].get_offsets()) == 1
    )
    assert answer.collections[1].get_array().tolist() == [0, 1, 0, 1]
    assert wrong.collections[1].get_array().tolist() == [0, 0, 1] and wrong.get_title() == "wrong: 33.3 %"


def test_a_classification_has_no_scene(drawn):
    run_plots.draw_test(
        Path("c.png"), Scores(1.0, 1.0, 0.1, torch.eye(2, dtype=torch.long), ("a", "b")), "mnist"
    )
    assert set(drawn) == {"c.png"}


def test_curves_of_a_regression_are_those_of_its_error(drawn):
    row = {"epoch": "1", "train_loss": "2", "train_error": "0.5", "val_loss": "3", "val_error": "0.75"}
    run_plots.plot_curves([row], Path("curves.png"))
    loss, error = drawn["curves.png"].axes
    assert [line.get_ydata()[0] for line in loss.lines] == [2, 3]
    assert [line.get_ydata()[0] for line in error.lines] == [0.5, 0.75]
    assert error.get_ylabel().startswith("mean absolute error")


def test_curves_of_classes_are_in_percent_over_whole_epochs(drawn):
    rows = [{"epoch": str(e), "train_loss": "2", "train_acc": "0.25", "val_acc": "0.5"} for e in (1, 2)]
    run_plots.plot_curves(rows, Path("curves.png"))
    loss, accuracy = drawn["curves.png"].axes
    assert [line.get_ydata().tolist() for line in accuracy.lines] == [[25, 25], [50, 50]]
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy (%)")
    assert all(tick == round(tick) for tick in accuracy.get_xticks())
    assert [line.get_color() for line in accuracy.lines] == list(PALETTE[:2])


def test_legends_lie_below_their_axes(drawn):
    rows = [{"epoch": str(e), "train_loss": "2", "val_loss": "3", "train_acc": "0.25"} for e in (1, 2)]
    run_plots.plot_curves(rows, Path("curves.png"))
    figure = drawn["curves.png"]
    figure.canvas.draw()
    for axes in figure.axes:
        assert axes.get_legend().get_window_extent().y1 < axes.xaxis.label.get_window_extent().y0


def test_the_style_ends_with_the_figure():
    from matplotlib import rcParams

    before = dict(rcParams)
    with in_style():
        assert not rcParams["axes.spines.top"]
    assert dict(rcParams) == before


def test_the_scene_is_the_sample_whose_truths_differ_most():
    from torch_geometric.data import Batch, Data

    samples = [
        Data(pos=torch.rand(3, 3), y=torch.tensor(y)[:, None], name=name)
        for name, y in (("flat", [5.0, 5.0, 5.0]), ("steep", [0.0, 9.0, NAN]), ("hilly", [1.0, 2.0, 3.0]))
    ]
    batch = Batch.from_data_list(samples)
    scene = telling_scene(batch, torch.arange(9.0)[:, None])
    assert scene.name == "steep" and torch.equal(scene.pos, samples[1].pos)
    assert scene.answer[:, 0].tolist() == [3, 4, 5]
    assert telling_scene((torch.rand(2, 1, 4), torch.zeros(2)), torch.zeros(2)) is None
