"""Kept memory: used again, never twice at a time, and bounded."""

import gc
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.utils.data import DataLoader

from ccnn_geo._base.native import memory
from ccnn_geo._base.native.memory import LARGE, empty, zeros
from ccnn_geo._base.native.memory_limit import memory_limit


@pytest.fixture(autouse=True)
def nothing_kept():
    gc.collect()
    memory.forget()
    yield
    memory.forget()
    memory._asked.cache_clear()


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
    monkeypatch.setattr(memory, "kept_at_most", lambda: 10 * LARGE)
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


def test_512_megabytes_are_kept_unless_asked(monkeypatch):
    monkeypatch.setattr(memory, "memory_limit", lambda: 1 << 40)
    for text, megabytes in ((None, 512), ("", 512), ("0", 0), ("12.5", 12.5), ("2048", 2048)):
        memory._asked.cache_clear()
        monkeypatch.delenv("CCNN_GEO_POOL_MB", raising=False)
        if text is not None:
            monkeypatch.setenv("CCNN_GEO_POOL_MB", text)
        assert memory.kept_at_most() == megabytes * 2**20


@pytest.mark.parametrize("asked", [None, "2048"])
def test_never_more_than_a_quarter_of_the_limit(asked, monkeypatch):
    memory._asked.cache_clear()
    if asked is not None:
        monkeypatch.setenv("CCNN_GEO_POOL_MB", asked)
    monkeypatch.setattr(memory, "memory_limit", lambda: 1 << 30)
    assert memory.kept_at_most() == 1 << 28


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf", "1e400", "512MB"])
def test_what_is_no_number_of_megabytes(text, monkeypatch):
    memory._asked.cache_clear()
    monkeypatch.setenv("CCNN_GEO_POOL_MB", text)
    message = rf"^CCNN_GEO_POOL_MB: expected megabytes, 0 or more, got '{text}'$"
    with pytest.raises(ValueError, match=message):
        empty(LARGE)
    assert empty(3).shape == (3,)


def test_nothing_is_kept_if_nothing_is_asked_for(monkeypatch):
    memory._asked.cache_clear()
    monkeypatch.setenv("CCNN_GEO_POOL_MB", "0")
    empty(LARGE)
    assert memory._blocks == []


GIB = 1 << 30
HUGE = "9223372036854771712"
"""What version 1 says where there is no limit."""


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/a/b\n", {"a/b/memory.max": "3", "a/memory.max": "max"}, 3),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "5\n"}, 5),
        ("0::/\n", {"memory.max": "7"}, 7),
        ("0::/a\n", {"a/memory.max": "max"}, GIB),
        ("0::/a\n", {"a/memory.max": HUGE}, GIB),
        ("0::/a\n", {"a/memory.max": "nonsense"}, GIB),
        ("0::/../../a\n", {"memory.max": "9"}, 9),
        ("4:memory:/x/y\n1:cpu:/\n0::/\n", {"memory/x/y/memory.limit_in_bytes": HUGE}, GIB),
        ("4:cpu,memory:/x/y\n", {"memory/x/memory.limit_in_bytes": "11"}, 11),
        ("4:memory:/docker/of/the/host\n", {"memory/memory.limit_in_bytes": "13"}, 13),
        ("1:cpu:/x\n", {"x/memory.max": "3"}, GIB),
        ("0::/a\n4:memory:/x\n", {"unified/a/memory.max": "17", "memory/x/memory.limit_in_bytes": "19"}, 17),
        ("nonsense\n", {}, GIB),
        (None, {}, GIB),
    ],
)
def test_limits_of_control_groups(groups, files, expected, tmp_path, monkeypatch):
    monkeypatch.setattr("ccnn_geo._base.native.memory_limit._installed", lambda: GIB)
    root = tmp_path / "groups"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    if groups is not None:
        (tmp_path / "of").write_text(groups)
    assert memory_limit(tmp_path / "of", root) == expected


class Kept(torch.utils.data.Dataset):
    """How much a process keeps: when it begins, and after it has freed a large tensor."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        before = len(memory._blocks)
        empty(LARGE)
        return before, len(memory._blocks)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_workers_keep_nothing():
    empty(LARGE)
    assert len(memory._blocks) == 1
    (found,) = DataLoader(Kept(), num_workers=1, batch_size=None, multiprocessing_context="fork")
    assert tuple(found) == (0, 0)
    assert len(memory._blocks) == 1 and Kept()[0] == (1, 1)


def test_workers_are_told_by_torch(monkeypatch):
    """Spawned ones too: in each torch says which one it is."""
    monkeypatch.setattr(memory, "get_worker_info", object)
    assert memory.kept_at_most() == 0
