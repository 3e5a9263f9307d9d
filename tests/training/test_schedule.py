import numpy as np
import pytest

from ccnn_geo.training.schedule import warmup_cosine


@pytest.mark.parametrize(("warmup", "total"), [(0, 1), (0, 7), (3, 10), (10, 10), (100, 1000)])
def test_closed_form(warmup, total):
    steps = np.arange(total + 3)
    rise = (steps + 1) / max(warmup, 1)
    fall = np.cos(np.pi / 2 * np.clip((steps - warmup) / max(total - warmup, 1), 0, 1)) ** 2
    expected = np.where(steps < warmup, rise, np.where(steps < total, fall, 0.0))
    np.testing.assert_allclose([warmup_cosine(s, warmup, total) for s in steps], expected, atol=1e-12)


def test_peak_is_the_full_rate():
    factors = [warmup_cosine(s, 5, 50) for s in range(50)]
    assert max(factors) == 1.0 == factors[5]
    assert all(f > 0 for f in factors)


@pytest.mark.parametrize("arguments", [(-1, 0, 5), (0, 6, 5), (0, -1, 5), (0, 0, 0)])
def test_arguments_out_of_range(arguments):
    with pytest.raises(ValueError, match="warmup_cosine: expected"):
        warmup_cosine(*arguments)
