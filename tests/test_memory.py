"""Kept memory: used again, never twice at a time, and bounded."""

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from ccnn_geo import memory
from ccnn_geo.memory import LARGE, empty, zeros


@pytest.fixture(autouse=True)
def nothing_kept():
    gc.collect()
    memory.forget()
    yield
    memory.forget()


@pytest.mark.parametrize("shape", [(3,), (0, 5), (LARGE // 4 + 1,), (7, LARGE // 16, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_tensors_are_plain_ones(shape, dtype):
    t = empty(*shape, dtype=dtype)
    assert t.shape == shape and t.dtype == dtype and t.is_contiguous()
    assert t.data_ptr() % 64 == 0
    t.fill_(3)
    assert (t == 3).all()
    assert torch.equal(zeros(*shape), torch.zeros(shape))


def test_freed_memory_is_used_again():
    first = empty(LARGE)
    place = first.data_ptr()
    del first
    second = empty(LARGE - 8)
    assert second.data_ptr() == place
    assert empty(LARGE).data_ptr() != place


def test_a_view_keeps_its_memory():
    first = empty(2, LARGE)
    view = first[1, 5:10].fill_(7)
    del first
    zeros(2, LARGE)
    assert (view == 7).all()


def test_much_larger_blocks_are_left_alone():
    big = empty(4 * LARGE)
    place = big.data_ptr()
    del big
    small = empty(LARGE)
    assert not place <= small.data_ptr() < place + 16 * LARGE


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(memory, "KEPT", 10 * LARGE)
    tensors = [empty(LARGE) for _ in range(5)]  # of 4 bytes each
    tensors.clear()
    assert sum(b.data.size for b in memory._blocks) <= 10 * LARGE
    assert len(memory._blocks) == 2


def test_threads_never_share_a_block():
    def work(number):
        for _ in range(50):
            t = empty(LARGE // 4 + number).fill_(number)
            assert (t == number).all()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


def test_gradients_that_are_kept_stay_what_they_are():
    x = torch.ones(LARGE // 2, requires_grad=True)
    y = empty(LARGE // 2).fill_(2.0)
    (x * y).sum().backward()
    del y
    empty(LARGE // 2).fill_(5.0)
    assert (x.grad == 2).all()
