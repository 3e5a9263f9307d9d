"""``smallest``: the order of a stable sort, ties and near-ties included, on the host and on a device."""

import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ccnn_geo.neighbors.select import smallest
from ccnn_geo.neighbors.topk import smallest_columns, smallest_of


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.sampled_from([1, 2, 3, 4, 5, 33, 64, 200]),
    kind=st.sampled_from(["random", "ties", "near ties", "both", "infinite"]),
    nan=st.booleans(),
)
@example(seed=0, n=200, kind="near ties", nan=True)
def test_smallest_is_a_stable_sort(seed, n, kind, nan):
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(6, n, generator=generator, dtype=torch.float64)
    if kind in ("ties", "both"):
        values = (values * 4).floor() / 3
    if kind in ("near ties", "both"):
        values = values.round(decimals=1) * (
            1 + 1e-15 * torch.randint(0, 3, values.shape, generator=generator)
        )
    if kind == "infinite":
        values[:, ::2] = torch.inf
    if nan:
        values[:, n // 2] = torch.nan
    expected = torch.sort(values, dim=1, stable=True).indices
    for k in {0, 1, n // 2, n - 1, n - nan}:
        assert torch.equal(smallest(values, k), expected[:, :k])
        assert torch.equal(smallest_columns(values, k), expected[:, :k])


def test_smallest_sees_past_the_bits_its_keys_give_up():
    # Keys alone would take the first columns, and the ones found are equal: nothing looks wrong but the limit.
    values = torch.full((1, 100), 1 + 2e-16, dtype=torch.float64)
    values[0, 80] = 1.0
    assert smallest(values, 1).tolist() == [[80]]
    assert smallest(values, 3).tolist() == [[80, 0, 1]]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.sampled_from([1, 2, 33, 200]),
    kind=st.sampled_from(["random", "ties", "equal", "infinite"]),
    none=st.integers(0, 3),
)
def test_smallest_of_goes_by_value_then_by_id(seed, n, kind, none):
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(2, 3, n, generator=generator, dtype=torch.float64)
    values = {"ties": (values * 4).floor(), "equal": values * 0, "infinite": values * torch.inf}.get(
        kind, values
    )
    values = values.nan_to_num(nan=0.0, posinf=torch.inf)
    ids = torch.stack([torch.randperm(n, generator=generator) for _ in range(2)]).unsqueeze(1).int()
    values[..., :none] = torch.nan
    there = n - min(none, n)
    # The definition: by id first, then a stable sort by value.
    by_id = ids.expand_as(values).argsort(dim=-1)
    expected = by_id.gather(-1, values.gather(-1, by_id).sort(dim=-1, stable=True).indices)
    for k in {1, (n + 1) // 2, n}:
        found, kth = smallest_of(values, ids, k, n)
        assert torch.equal(found[..., : min(k, there)], expected[..., : min(k, there)])
        assert torch.equal(
            kth, values.gather(-1, expected[..., k - 1 : k]).nan_to_num(nan=torch.inf, posinf=torch.inf)
        )


def test_smallest_on_a_device(device):
    values = torch.randint(0, 6, (5, 300)).double().to(device)
    assert torch.equal(smallest(values, 40).cpu(), values.cpu().sort(stable=True).indices[:, :40])
