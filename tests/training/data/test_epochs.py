import torch
from torch_geometric.data import Data

from ccnn_geo.training.data.epochs import EpochDataset, EpochSampler
from ccnn_geo.training.seeds import local_seed, mix_seed
from ccnn_geo.transforms import RandomJitter


def order(sampler: EpochSampler, epoch: int) -> list[tuple[int, int]]:
    sampler.set_epoch(epoch)
    return list(sampler)


def test_order_depends_on_seed_and_epoch_only():
    sampler = EpochSampler(50, seed=3)
    first, second = order(sampler, 0), order(sampler, 1)
    torch.rand(7)
    assert order(EpochSampler(50, seed=3), 1) == second
    assert [i for _, i in first] != [i for _, i in second]
    assert [i for _, i in order(EpochSampler(50, seed=4), 1)] != [i for _, i in second]
    assert sorted(second) == [(1, i) for i in range(50)]


def test_processes_share_an_epoch():
    parts = [order(EpochSampler(11, 0, num_replicas=3, rank=r), 2) for r in range(3)]
    assert {len(p) for p in parts} == {4} == {len(EpochSampler(11, 0, 3, 0))}
    assert {i for part in parts for _, i in part} == set(range(11))


def test_sample_depends_on_seed_epoch_and_index_only():
    samples = [Data(pos=torch.zeros(5, 3)) for _ in range(2)]
    data = EpochDataset(samples, RandomJitter(), seed=1)
    state = torch.get_rng_state()
    draws = {(e, i): data[e, i].pos for e in (0, 1) for i in (0, 1)}
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert all(torch.equal(data[key].pos, value) for key, value in draws.items())
    values = list(draws.values())
    assert not any(torch.equal(a, b) for i, a in enumerate(values) for b in values[:i])


def test_local_seed_gives_the_state_back_after_an_error():
    state = torch.get_rng_state()
    try:
        with local_seed(5):
            assert torch.equal(torch.rand(2), torch.rand(2, generator=torch.Generator().manual_seed(5)))
            raise KeyError
    except KeyError:
        pass
    assert torch.equal(torch.get_rng_state(), state)


def test_seeds_differ():
    parts = [(0, 1), (1, 0), (0, 1, 0), (0, "1"), ()]
    assert len({mix_seed(*p) for p in parts}) == len(parts)
    assert all(0 <= mix_seed(*p) < 2**63 for p in parts)
