"""Weights of classes, F1 and overlaps, by counting."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ccnn_geo.training import Classification, Learner, Segmentation, SegmentationScores
from ccnn_geo.training.data.base import class_counts
from ccnn_geo.training.metrics import class_f1, class_iou
from ccnn_geo.training.tasks.choose import check_task, known_task, make_task
from ccnn_geo.training.tasks.scene import telling_scene

SIZES = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 4}


def labels() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 3, 200), rng.integers(0, 4, 200)  # class 3 has no sample, class 4 is nowhere


def test_overlaps_against_counting():
    true, found = labels()
    confusion = torch.zeros(5, 5, dtype=torch.long)
    for t, f in zip(true, found, strict=True):
        confusion[t, f] += 1
    for c in range(4):
        hit = ((true == c) & (found == c)).sum()
        either, total = ((true == c) | (found == c)).sum(), (true == c).sum() + (found == c).sum()
        assert float(class_iou(confusion)[c]) == pytest.approx(hit / either)
        assert float(class_f1(confusion)[c]) == pytest.approx(2 * hit / total)
    assert bool(class_iou(confusion)[4].isnan()) and bool(class_f1(confusion)[4].isnan())
    scores = SegmentationScores(0.0, 0.0, 0.0, confusion, tuple("abcde"))
    assert scores.mean_iou == pytest.approx(float(class_iou(confusion)[:4].mean()))
    assert scores.numbers()["iou"]["e"] is None and scores.macro_f1 == pytest.approx(
        float(class_f1(confusion)[:4].mean())
    )


def test_points_and_cells_without_a_label_do_not_count():
    task = Segmentation(("a", "b", "c"))
    outputs, y = torch.randn(2, 3, 4, 5), torch.randint(-1, 3, (2, 4, 5))
    answers, known = task.rows(task.answers(outputs), y)
    total, weight = task.loss(answers, known)
    expected = F.cross_entropy(outputs, y, ignore_index=-1)
    torch.testing.assert_close(total / weight, expected)
    evaluation = task.evaluation()
    evaluation(answers, known)
    matrix, numbers = evaluation.take()
    right = (outputs.argmax(1) == y)[y >= 0]
    assert int(matrix.sum()) == len(right)
    assert numbers["acc"] == pytest.approx(float(right.float().mean()))
    assert numbers["miou"] == pytest.approx(float(class_iou(matrix).nanmean()))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_weights_of_classes_are_those_of_a_weighted_mean(smoothing):
    weights = [0.5, 2.0, 0.0]
    task = Classification(("a", "b", "c"), label_smoothing=smoothing, weights=weights)
    logits, y = torch.randn(20, 3), torch.arange(20) % 3
    total, weight = task.loss(logits, y)
    expected = F.cross_entropy(logits, y, torch.tensor(weights), label_smoothing=smoothing)
    torch.testing.assert_close(total / weight, expected)


def test_balanced_weights_are_those_of_the_labels():
    y = torch.tensor([0, 0, 0, 1, -1])
    assert class_counts([type("S", (), {"y": y})] * 2, 3, True) == [6, 2, 0]
    assert class_counts(type("D", (), {"y": y[:4]}), 2, False) == [3, 1]


def test_balanced_weights_let_all_classes_count_alike():
    shares = [0.5, 0.3, 0.2]
    given = {"classes": ["a", "b", "c"], "task": "classification"}
    task = make_task(given, "balanced", shares)
    assert [weight * share for weight, share in zip(task.weights, shares, strict=True)] == pytest.approx(
        [1 / 3] * 3
    )
    assert task.shift == [0.0] * 3 and make_task(given, [1.0, 2.0, 3.0], shares).weights == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0])
def test_adjusted_logits_learn_what_classes_are_without_their_shares(tau):
    """Samples that tell nothing are answered by pi_c^(1 - tau): equally for 1, by the shares for 0."""
    shares = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    y = torch.arange(3).repeat_interleave(torch.tensor([6, 3, 1]))
    given = {"classes": ["a", "b", "c"], "task": "classification", "logit_adjustment": tau}
    task = make_task(given, None, shares.tolist())
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=100, tolerance_grad=1e-12, tolerance_change=1e-14)

    def loss():
        optimizer.zero_grad()
        total, weight = task.loss(logits.expand(10, 3), y)
        (total / weight).backward()
        return total / weight

    optimizer.step(loss)
    expected = shares ** (1 - tau)
    torch.testing.assert_close(logits.softmax(0), expected / expected.sum(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("wrong", [-0.5, float("inf"), float("nan")])
def test_adjustments_that_are_none(wrong):
    with pytest.raises(ValueError, match=r"optim\.logit_adjustment: expected 0 or more"):
        Learner(SIZES, ["a", "b"], 1, logit_adjustment=wrong)


@pytest.mark.parametrize("wrong", ["even", [], [0.0, 0.0], [-1.0, 2.0]])
def test_weights_that_are_none(wrong):
    with pytest.raises(ValueError, match=r"optim\.class_weights: expected"):
        Learner(SIZES, ["a", "b"], 1, class_weights=wrong)


def test_as_many_weights_as_classes():
    with pytest.raises(ValueError, match="expected one for each of 2 classes, got 3"):
        Learner(SIZES, ["a", "b"], 1, class_weights=[1.0, 1.0, 2.0])


def test_checkpoints_of_before_did_not_say_their_task():
    assert known_task({"classes": ["a", "b"]}) == "classification"
    assert known_task({"classes": ["a", "b"], "readout": "node"}) == "segmentation"
    assert known_task({"classes": [], "targets": {"names": ["a"]}}) == "regression"


@pytest.mark.parametrize("asked", ["regression", "sorting"])
def test_a_task_that_the_data_are_not_for(asked):
    with pytest.raises(ValueError, match=r"^--task: expected .*classification"):
        check_task(asked, "classification", "mnist")
    assert check_task(None, "segmentation", "lidar") == "segmentation"


def test_a_picture_is_of_the_image_whose_labels_differ_most():
    truth = torch.tensor([[[0, 0, 0], [0, 0, 0]], [[0, 1, 2], [-1, 2, 0]]])
    answer = torch.arange(12)
    scene = telling_scene([torch.zeros(2, 1, 2, 3), truth], answer)
    assert scene.truth.tolist() == [0, 1, 2, -1, 2, 0] and scene.answer.tolist() == list(range(6, 12))
    right, up = scene.pos.T
    assert (right.reshape(2, 3).diff(dim=1) > 0).all() and (up.reshape(2, 3).diff(dim=0) < 0).all()
    assert telling_scene([torch.zeros(2, 1, 4), torch.tensor([0, 1])], answer) is None
