import numpy as np
import pytest

from ccnn_geo.training.schedule import Schedule, warmup_cosine


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


@pytest.mark.parametrize(
    ("total", "per_epoch", "epochs", "expected", "line"),
    [
        (
            120,
            24,
            10,
            12,
            "warm-up: 12 of 120 steps (0.5 of 5 epochs); limited by optim.warmup_share, optim.",
        ),
        (
            2100,
            10,
            10,
            100,
            "warm-up: 100 of 2100 steps (10 of 210 epochs)",
        ),  # named, and shorter than a tenth
        (30, 1, 10, 3, "warm-up: 3 of 30 steps (3 of 30 epochs); limited by optim.warmup_share"),
        (
            9,
            3,
            10,
            0,
            "no warm-up in 9 steps (3 epochs); limited by optim.warmup_share",
        ),
        (50, 20, 0, 0, "no warm-up in 50 steps (2.5 epochs)"),
        (50, 20, 0.2, 4, "warm-up: 4 of 50 steps (0.2 of 2.5 epochs)"),
    ],
)
def test_warmup_is_a_tenth_at_most(total, per_epoch, epochs, expected, line):
    plan = Schedule.planned(total, per_epoch, epochs, 0.1)
    assert plan.warmup == expected
    assert str(plan).startswith(line)
    assert [plan(s) for s in range(total)] == [warmup_cosine(s, expected, total) for s in range(total)]
    assert plan(expected) == 1.0  # the rise is left


def test_a_tenth_is_exact():
    for total in range(1, 3000):
        assert Schedule.planned(total, 1, 1e6, 0.1).warmup == total // 10
