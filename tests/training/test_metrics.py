import numpy as np
import pytest
import torch

from ccnn_geo.training.metrics import accuracies
from ccnn_geo.training.metrics_file import read_metrics


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


@pytest.mark.parametrize(
    "text", ["epoch,lr\nx,0.1\n", "epoch,lr\n1,x\n", "lr\n0.1\n", "epoch,lr\n1,0.1,7\n", "a\n\x00\n"]
)
def test_a_damaged_file_of_metrics(tmp_path, text):
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(ValueError, match=r"metrics\.csv: damaged, row .*, expected numbers and an epoch"):
        read_metrics(tmp_path / "metrics.csv")
