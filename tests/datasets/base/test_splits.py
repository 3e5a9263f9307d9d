import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ccnn_geo.datasets import stratified_split


@given(
    y=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_parts_are_complete_disjoint_and_stratified(y, fraction, seed):
    y = torch.tensor(y)
    keep, held_out = stratified_split(y, fraction, seed)
    assert torch.cat([keep, held_out]).sort().values.tolist() == list(range(len(y)))
    assert keep.tolist() == sorted(keep.tolist()) and held_out.tolist() == sorted(held_out.tolist())
    for label in y.unique():
        total, out = int((y == label).sum()), int((y[held_out] == label).sum())
        if total == 1:
            assert out == 0
        else:
            assert 1 <= out < total and abs(out - fraction * total) <= 1
    again = stratified_split(y, fraction, seed)
    assert torch.equal(again[0], keep) and torch.equal(again[1], held_out)


def test_seeds_differ():
    y = torch.arange(200) % 4
    assert not torch.equal(stratified_split(y, 0.3, 0)[1], stratified_split(y, 0.3, 1)[1])


@pytest.mark.parametrize(
    ("y", "fraction"), [(torch.zeros(3), 0.0), (torch.zeros(3), 1.0), (torch.zeros(3, 1), 0.5)]
)
def test_refuses(y, fraction):
    with pytest.raises(ValueError, match="got"):
        stratified_split(y, fraction)
