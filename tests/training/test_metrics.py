import numpy as np
import pytest
import torch

from ccnn_geo.training.metrics import accuracies


def test_against_counting():
    rng = np.random.default_rng(0)
    true, found = rng.integers(0, 4, 200), rng.integers(0, 5, 200)  # class 4 has no sample
    confusion = torch.zeros(5, 5, dtype=torch.long)
    for t, f in zip(true, found, strict=True):
        confusion[t, f] += 1
    overall, mean_class = accuracies(confusion)
    assert overall == pytest.approx((true == found).mean())
    assert mean_class == pytest.approx(np.mean([(found[true == c] == c).mean() for c in range(4)]))


@pytest.mark.parametrize("confusion", [torch.zeros(2, 3), torch.zeros(2), torch.zeros(3, 3)])
def test_no_confusion_matrix(confusion):
    with pytest.raises(ValueError, match="accuracies: expected"):
        accuracies(confusion)
