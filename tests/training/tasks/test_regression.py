"""Losses and errors of targets against numpy, over batches, with values that are not known."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from ccnn_geo.nn import Targets
from ccnn_geo.training import Learner, Regression

TARGETS = Targets(("energy", "gap"), ("eV", ""), (10.0, -2.0), (4.0, 0.5))
SIZES = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 4}


def truths(count: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    """Standardised answers, and truths in their units of which some are not known."""
    rng = np.random.default_rng(0)
    answers = rng.normal(size=(count, 2))
    y = rng.normal([10.0, -2.0], [4.0, 0.5], (count, 2))
    y[3], y[7, 0], y[::4, 1] = np.nan, np.nan, np.nan
    return torch.from_numpy(answers).float(), torch.from_numpy(y).float()


LOSSES = {
    "mse": np.square,
    "l1": np.abs,
    "huber": lambda e: np.where(np.abs(e) <= 1, e**2 / 2, np.abs(e) - 0.5),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_loss_is_the_mean_over_known_values(kind):
    answers, y = truths()
    task = Regression(TARGETS, kind)
    kept, z = task.rows(answers, y)
    total, weight = task.loss(kept, z)
    error = answers.numpy() - (y.numpy() - TARGETS.mean) / np.array(TARGETS.std)
    assert (len(kept), weight) == (29, np.isfinite(error).sum())
    assert float(total / weight) == pytest.approx(np.nanmean(LOSSES[kind](error)), rel=1e-5)


def test_errors_are_in_the_units_of_the_targets():
    answers, y = truths()
    task = Regression(TARGETS)
    evaluation = task.evaluation()
    for part in (slice(0, 11), slice(11, 12), slice(12, 30)):
        evaluation(*task.rows(answers[part], y[part]))
    evaluation(*task.rows(answers[:0], y[:0]))  # nothing counts for nothing
    counted, numbers = evaluation.take()
    scores = task.scores(counted, float(numbers["loss"]), "best checkpoint")
    found, true = TARGETS.restore(answers.double()).numpy(), y.double().numpy()
    for i, name in enumerate(TARGETS.names):
        known = np.isfinite(true[:, i])
        t, error = true[known, i], (found - true)[known, i]
        assert scores.mae[i] == pytest.approx(np.abs(error).mean(), rel=1e-5)
        assert numbers[f"mae_{name}"] == scores.mae[i]
        assert scores.rmse[i] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
        r2 = 1 - (error**2).sum() / ((t - t.mean()) ** 2).sum()
        assert scores.r2[i] == pytest.approx(r2, rel=1e-5)
        assert scores.mae_of_mean[i] == pytest.approx(np.abs(t - TARGETS.mean[i]).mean(), rel=1e-5)
    z_error = (found - true) / TARGETS.std
    assert float(numbers["error"]) == pytest.approx(np.nanmean(np.abs(z_error)), rel=1e-5)
    assert float(numbers["loss"]) == pytest.approx(np.nanmean(z_error**2), rel=1e-5)
    assert scores.truth.shape == scores.answer.shape == (29, 2)
    np.testing.assert_allclose(scores.truth, true[np.arange(30) != 3], rtol=1e-5)
    assert scores.numbers()["targets"]["energy"]["unit"] == "eV"
    evaluation(*task.rows(answers[3:4], y[3:4]))
    with pytest.raises(ValueError, match="expected at least one known target"):
        evaluation.take()  # counted anew


def test_truths_that_are_all_alike_have_no_r2():
    task = Regression(Targets(("a",), ("",), (0.0,), (1.0,)))
    evaluation = task.evaluation()
    evaluation(*task.rows(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [3.0]])))
    scores = task.scores(evaluation.take()[0], 0.0, "")
    assert scores.r2[0] != scores.r2[0] and scores.numbers()["targets"]["a"]["r2"] is None


@pytest.mark.parametrize("size", [(5,), (3, 4)])
def test_cells_of_a_grid_are_rows(size):
    task = Regression(TARGETS)
    outputs, y = torch.randn(2, 2, *size), torch.randn(2, 2, *size)
    answers, z = task.rows(task.answers(outputs), y)
    place = (1, slice(None), *(1 for _ in size))
    row = np.ravel_multi_index((1, *(1 for _ in size)), (2, *size))
    assert torch.equal(answers[row], outputs[place])
    torch.testing.assert_close(TARGETS.restore(z[row]), y[place])


def test_a_step_of_one_output_is_not_padded():
    """A single number is no log-odds."""
    plain = Targets(("a",), ("",), (1.0,), (2.0,)).plain()
    model = Learner(SIZES, in_channels=1, targets=plain, loss="l1").eval()
    model.log = lambda *_, **__: None
    clouds = [Data(x=torch.randn(6, 1), pos=torch.rand(6, 3), y=torch.randn(1, 1)) for _ in range(3)]
    batch = Batch.from_data_list(clouds)
    model.network.train()(batch)
    model.eval()
    assert model(batch).shape == (3, 1)
    expected = (model(batch) - (batch.y - 1) / 2).abs().mean()
    torch.testing.assert_close(model.training_step(batch, 0), expected)
    assert (model.hparams.task, model.hparams.classes) == ("regression", None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"loss": "cosine"}, "optim.loss: expected one of mse, l1, huber for regression"),
        ({"label_smoothing": 0.1}, "optim.label_smoothing: expected none for regression"),
        ({"class_weights": "balanced"}, "optim.class_weights: expected none for regression"),
        ({"logit_adjustment": 1.0}, "optim.logit_adjustment: expected none for regression"),
        ({"binary": True}, "optim.binary: expected none for regression"),
    ],
)
def test_options_of_classes_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Learner(SIZES, in_channels=1, targets=TARGETS.plain(), **wrong)


def test_a_target_of_which_nothing_is_known_is_called_so():
    task = Regression(TARGETS)
    evaluation = task.evaluation()
    evaluation(*task.rows(torch.zeros(2, 2), torch.tensor([[10.0, torch.nan], [14.0, torch.nan]])))
    scores = task.scores(evaluation.take()[0], 0.0, "")
    assert scores.summary().startswith("energy: MAE 2 eV, ")
    assert scores.summary().endswith("; gap: no value is known")
