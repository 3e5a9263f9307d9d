"""Which epoch a run stands for."""

from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.trainer.states import TrainerFn

from ccnn_geo.training.checkpoints import BestCheckpoint

NAN = float("nan")


def kept(tmp_path, epochs, best=None, within=()):
    """The epoch that is kept of (accuracy, loss) or None for one without validation, and the callback."""
    best = best or BestCheckpoint(tmp_path)
    saved = []
    for epoch, found in enumerate(epochs):
        loop = SimpleNamespace(done=epoch not in within)
        trainer = SimpleNamespace(
            state=SimpleNamespace(fn=TrainerFn.FITTING),
            fit_loop=SimpleNamespace(epoch_loop=loop),
            callback_metrics={},
            fast_dev_run=0,
            save_checkpoint=lambda path, weights_only, epoch=epoch: saved.append((path.name, epoch)),
        )
        if found is not None:
            trainer.callback_metrics = {"val_acc": torch.tensor(found[0]), "val_loss": torch.tensor(found[1])}
            best.on_validation_end(trainer, None)
        before = len(saved)
        best.on_train_epoch_end(trainer, None)
        assert epoch not in within or len(saved) == before  # the weights that were validated, no later ones
    assert {name for name, _ in saved} <= {"best.ckpt"}
    return (saved[-1][1] if saved else None), best


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        ([(0.5, 1.0), (0.8, 2.0), (0.7, 0.1)], 1),
        ([(0.8, 1.0), (0.8, 0.9), (0.8, 0.95)], 1),  # of equal accuracies the lowest loss
        ([(0.8, 1.0), (0.8, 1.0)], 1),  # of equal losses the later
        ([(0.8, 1.0), None, None], 0),  # what was not validated does not count again
        ([(0.8, 1.0), (0.9, NAN)], 0),
        ([(0.8, NAN), (0.3, 1.0)], 1),
        ([(0.8, float("inf")), (0.8, 3.0)], 1),
        ([(0.8, NAN)], None),
        ([None, None], None),
    ],
)
def test_ties_and_what_never_wins(tmp_path, epochs, expected):
    assert kept(tmp_path, epochs)[0] == expected
    if None not in epochs:
        assert kept(tmp_path, epochs, within=range(len(epochs)))[0] == expected


@pytest.mark.parametrize("cut", [1, 2])
def test_the_same_after_a_resume(tmp_path, cut):
    epochs = [(0.8, 1.0), (0.8, 0.9), (0.8, 0.95)]
    _, first = kept(tmp_path, epochs[:cut])
    again = BestCheckpoint(tmp_path)
    again.load_state_dict(first.state_dict())
    assert kept(tmp_path, epochs[cut:], again)[0] == (0 if cut == 1 else None)
    assert again.rank == (0.8, -0.9) or again.rank == pytest.approx((0.8, -0.9))


def test_checkpoints_of_before_have_no_loss(tmp_path):
    best = BestCheckpoint(tmp_path)
    assert best.state_key.startswith("ModelCheckpoint{'monitor': 'val_acc', 'mode': 'max', ")
    best.load_state_dict({"best_model_score": torch.tensor(0.8), "best_model_path": "/elsewhere/best.ckpt"})
    assert best.path == tmp_path / "best.ckpt"  # a folder that was moved keeps its own
    assert kept(tmp_path, [(0.7, 0.1)], best)[0] is None
    assert kept(tmp_path, [(0.8, 9.0)], best)[0] == 0


def test_an_error_is_better_the_smaller_it_is(tmp_path):
    best = BestCheckpoint(tmp_path, "acc", larger_is_better=False)
    assert kept(tmp_path, [(0.5, 1.0), (0.2, 3.0), (0.4, 0.1)], best)[0] == 1
    again = BestCheckpoint(tmp_path, "acc", larger_is_better=False)
    again.load_state_dict(best.state_dict())
    assert kept(tmp_path, [(0.3, 0.1)], again)[0] is None
    assert kept(tmp_path, [(0.1, 9.0)], again)[0] == 0


def test_a_run_of_before_goes_on_to_choose_by_accuracy(tmp_path):
    best = BestCheckpoint(tmp_path, "miou")
    best.load_state_dict({"best_model_score": torch.tensor(0.8), "best_model_loss": 1.0})
    assert kept(tmp_path, [(0.7, 0.1)], best)[0] is None and best.metric == "acc"
    fresh = BestCheckpoint(tmp_path, "miou")
    fresh.load_state_dict({"best_model_score": 0.8, "best_model_loss": 1.0, "metric": "miou", "stale": 3})
    assert (fresh.metric, fresh.stale) == ("miou", 3)


def test_patience_counts_validations_without_a_better_one(tmp_path):
    best = BestCheckpoint(tmp_path, patience=2)
    kept(tmp_path, [(0.8, 1.0), (0.7, 1.0), None, (0.8, 0.5)], best)
    assert (best.stale, best.is_over) == (0, False)  # the same accuracy and a lower loss are better
    kept(tmp_path, [(0.8, 0.5), None], best)
    assert (best.stale, best.is_over) == (1, False)
    kept(tmp_path, [(0.9, NAN)], best)
    assert best.is_over
    assert not BestCheckpoint(tmp_path).is_over
