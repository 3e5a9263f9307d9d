import numpy as np
import pytest
import torch

from ccnn_geo.nn import Targets

NAN = float("nan")


def test_scale_is_that_of_the_known_values():
    values = np.random.default_rng(0).normal([5.0, -300.0], [2.0, 40.0], (50, 2))
    values[::7, 1] = np.nan
    found = Targets.measure(["a", "b"], ["", "eV"], torch.from_numpy(values))
    assert found.mean == pytest.approx(np.nanmean(values, 0))
    assert found.std == pytest.approx(np.nanstd(values, 0))
    z = found.standardise(torch.from_numpy(values))
    assert z.dtype == torch.float32 and torch.equal(z.isnan(), torch.from_numpy(np.isnan(values)))
    np.testing.assert_allclose(z.numpy(), (values - found.mean) / found.std, atol=1e-6)
    np.testing.assert_allclose(found.restore(z.double()).numpy(), values, rtol=1e-6)


def test_a_target_that_never_changes_is_only_moved():
    found = Targets.measure(["a"], [""], torch.full((3, 1), 7.0))
    assert (found.mean, found.std) == ((7.0,), (1.0,))


def test_plain_values_are_lists_and_come_back():
    targets = Targets(("a", "b"), ("", "m"), (0.0, 1.5), (1.0, 2.0))
    plain = targets.plain()
    assert plain == {"names": ["a", "b"], "units": ["", "m"], "mean": [0.0, 1.5], "std": [1.0, 2.0]}
    assert Targets.from_plain(plain) == targets


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"names": [], "units": [], "mean": [], "std": []},
        {"names": ["a"], "units": [""], "mean": [0.0], "std": [0.0]},
        {"names": ["a"], "units": [""], "mean": [NAN], "std": [1.0]},
        {"names": ["a"], "units": ["", ""], "mean": [0.0], "std": [1.0]},
        {"names": ["a"], "units": [""], "mean": ["x"], "std": [1.0]},
    ],
)
def test_what_is_no_scale(plain):
    with pytest.raises(ValueError, match=r"[Tt]argets: expected"):
        Targets.from_plain(plain)


def test_a_target_without_a_value_is_named():
    with pytest.raises(ValueError, match="no value of b in the training set"):
        Targets.measure(["a", "b"], ["", ""], torch.tensor([[1.0, NAN], [2.0, NAN]]))
