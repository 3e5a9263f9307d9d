"""Steps of training and of evaluation do not wait for the device, but for how many of the points have a truth."""

import copy

import pytest
import torch
from torch import nn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from ccnn_geo.nn.nyquist import nyquist_penalty
from ccnn_geo.nn.targets import Targets
from ccnn_geo.training.lightning import Metric
from ccnn_geo.training.loss import mean_loss
from ccnn_geo.training.module import Learner
from ccnn_geo.training.tasks.classes import Classification, Segmentation
from ccnn_geo.training.tasks.counts import Accuracy, Confusion, MeanLoss
from ccnn_geo.training.tasks.errors import Pairs
from ccnn_geo.training.tasks.regression import Regression

NETWORK = {
    "hidden_channels": 6,
    "num_blocks": 1,
    "kernel_hidden": 4,
    "omega_0": 1.0,
    "window_init": 0.4,
}
CLASSES = ["a", "b", "c"]
PARTS = ["chair/leg", "chair/seat", "cup/handle"]
TARGETS = {"names": ["u", "v"], "units": ["", ""], "mean": [1.0, 2.0], "std": [2.0, 3.0]}
OPTIM = {"class_weights": [1.0, 2.0, 0.5], "label_smoothing": 0.1, "kernel_l2": 1e-3, "nyquist": 0.1}
CASES = {  # and how often a step may wait: for the number of rows
    "classes": ({"classes": CLASSES}, torch.tensor([0, 2, 1, 1]), 0),
    "classes, all options": ({"classes": CLASSES, **OPTIM}, torch.tensor([0, 2, 1, 1]), 0),
    "cells": ({"classes": CLASSES, "readout": "node"}, torch.arange(4 * 72).view(4, 9, 8) % 4 - 1, 1),
    "parts": ({"classes": PARTS, "readout": "node"}, torch.arange(4 * 72).view(4, 9, 8) % 4 - 1, 1),
    "numbers": (
        {"targets": TARGETS, "task": "regression"},
        torch.tensor([[1, 2], [3, torch.nan], [2, 2], [0, 1]]),
        1,
    ),
}


def learner(options, x, y):
    model = Learner(NETWORK, in_channels=3, dim=2, seed=0, **options)
    model.log = lambda *_, **__: None  # there is no trainer
    model.training_step((x, y), 0)  # what the first batch sets
    return model


def move(model, device):
    here = copy.deepcopy(model).to(device)
    for module in here.modules():
        if isinstance(module, Metric):
            module.reset()
    return here


@pytest.mark.parametrize("name", CASES)
def test_steps_are_those_of_the_cpu_and_wait_for_rows_alone(name, device, record_waits):
    options, y, allowed = CASES[name]
    x = torch.randn(4, 3, 9, 8)
    model = learner(options, x, y)
    here, batch = move(model, device), (x.to(device), y.to(device))
    model = move(model, "cpu")
    for _ in range(2):
        expected = model.training_step((x, y), 0)
        with record_waits() as waits:
            found = here.training_step(batch, 0)
            found.backward()
        torch.testing.assert_close(found.detach().cpu(), expected.detach(), rtol=1e-4, atol=1e-5)
    assert len(waits) <= allowed, waits
    numbers = [m.training_number.compute().cpu() for m in (here, model)]
    torch.testing.assert_close(numbers[0], numbers[1], rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        for m, given in ((model.eval(), (x, y)), (here.eval(), batch)):
            for number in (1, 1):  # the first batch of an evaluation tells a scene
                with record_waits() as waits:
                    m._evaluate(given, number)
    assert len(waits) <= allowed, waits
    for a, e in zip(*(m.evaluation.take()[1].items() for m in (here, model)), strict=True):
        assert a[0] == e[0] and float(a[1]) == pytest.approx(float(e[1]), rel=1e-3, abs=1e-5)


def test_counts_are_those_of_torchmetrics(device, record_waits):
    ours = [Accuracy(4).to(device), Confusion(4).to(device), MeanLoss().to(device)]
    theirs = [MulticlassAccuracy(4, average="micro"), MulticlassConfusionMatrix(4), MeanMetric()]
    for size in (7, 1, 30):
        logits, y = torch.randn(size, 4), torch.randint(0, 4, (size,))
        here = logits.to(device), y.to(device)
        loss = nn.functional.cross_entropy(logits, y)
        loss_here = loss.to(device)
        with record_waits() as waits:
            ours[0].update(*here), ours[1].update(*here), ours[2].update(loss_here, weight=size)
        assert not waits
        theirs[0].update(logits, y), theirs[1].update(logits, y), theirs[2].update(loss, weight=size)
    assert ours[0].validate_args == (device.type != "cuda")  # some torchmetrics look at all labels then
    for a, e in zip(ours, theirs, strict=True):
        assert torch.equal(a.compute().cpu(), e.compute()) and a.compute().dtype == e.compute().dtype


@pytest.mark.filterwarnings("ignore:Encountered `nan`:UserWarning")
def test_a_loss_that_is_nan_does_not_count(device):
    mean = MeanLoss().to(device)
    for loss, weight in ((1.0, 2), (torch.nan, 5), (4.0, 1)):
        mean.update(torch.tensor(loss).to(device), weight)
    assert mean.compute().item() == 2.0


def test_losses_are_divided_by_weights(device):
    answers, y = torch.randn(5, 3), torch.tensor([0, 2, 1, 1, 0])
    weights, shift = (1.0, 2.0, 0.5), (0.1, 0.0, -0.2)
    found = mean_loss(
        *Classification(CLASSES, weights=weights, shift=shift).loss(answers.to(device), y.to(device))
    )
    expected = nn.functional.cross_entropy(answers + torch.tensor(shift), y, weight=torch.tensor(weights))
    torch.testing.assert_close(found.cpu(), expected)
    total, weight = Classification(CLASSES, weights=(0.0, 1.0, 1.0)).loss(
        answers[:1].to(device), y[:1].to(device)
    )
    assert mean_loss(total, weight).item() == 0
    assert mean_loss(torch.tensor(3.0), 0.0) == 3 and mean_loss(torch.tensor(3.0), 2.0) == 1.5


@pytest.mark.parametrize("kind", ["mse", "l1", "huber"])
def test_unknown_targets_give_no_loss_and_no_gradient(kind, device):
    task = Regression(Targets.from_plain(TARGETS), kind)
    answers = torch.randn(3, 2).to(device).requires_grad_()
    y = torch.tensor([[1.0, torch.nan], [torch.nan, torch.nan], [0.5, 2.0]]).to(device)
    rows, truths = task.rows(answers, y)
    found = mean_loss(*task.loss(rows, truths))
    (grad,) = torch.autograd.grad(found, answers)
    known = ~y.cpu().isnan()
    z = task.targets.standardise(y.cpu())[known]
    function = {"mse": "mse_loss", "l1": "l1_loss", "huber": "huber_loss"}[kind]
    expected = getattr(nn.functional, function)(answers.detach().cpu()[known], z)
    torch.testing.assert_close(found.detach().cpu(), expected)
    assert torch.equal(grad.cpu() != 0, known) and rows.size(0) == 2


def test_rows_of_points_are_those_with_a_label(device):
    answers, y = torch.randn(6, 3), torch.tensor([0, -1, 2, -1, 1, 1])
    found = Segmentation(CLASSES).rows(answers.to(device), y.to(device))
    assert torch.equal(found[0].cpu(), answers[y >= 0]) and torch.equal(found[1].cpu(), y[y >= 0])


def test_pairs_stay_where_they_are_until_they_are_asked_for(device, record_waits):
    pairs = Pairs(2)
    truth, answers = torch.randn(10, 2), torch.randn(10, 2)
    here = truth.to(device), answers.to(device)
    with record_waits() as waits:
        pairs.add(*here)
    assert not waits
    assert all(torch.equal(a, e) for a, e in zip(pairs.take(), (truth, answers), strict=True))


def test_a_penalty_does_not_wait_for_the_spacing(device, record_waits):
    kernel = Learner(NETWORK, CLASSES, 3, 2).network.convs[0].kernel
    here = copy.deepcopy(kernel).to(device)
    with record_waits() as waits:
        found = nyquist_penalty([here], [0.2, 0.3])
    assert not waits
    torch.testing.assert_close(found.cpu(), nyquist_penalty([kernel], torch.tensor([0.2, 0.3])))
    with pytest.raises(ValueError, match=r"nyquist: expected a spacing > 0 and finite, got 0\.2, 0"):
        nyquist_penalty([here], torch.tensor([0.2, 0.0]).to(device))
