"""What a training says of itself at once: its data, its kernels, its time."""

import re
from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import Batch, Data

from ccnn_geo import CCNN
from ccnn_geo.training import first_batches
from ccnn_geo.training.first_batches import FirstBatches, data_line, fit_line, time_line


def network(dim, **settings):
    return CCNN(2, 3, dim=dim, hidden_channels=4, num_blocks=1, kernel_hidden=4, **settings)


def test_points_say_what_kernels_were_fitted_to():
    pos = torch.cartesian_prod(*[torch.arange(12.0) * 0.1] * 2)
    batch = Batch.from_data_list([Data(x=torch.randn(144, 2), pos=pos, y=0) for _ in range(2)])
    model = network(2, num_neighbors=9)
    assert fit_line(model, batch) == ""  # before the first batch
    model(batch)
    line = fit_line(model, batch)
    found = dict(zip(["omega_0", "apart", "radius"], map(float, _numbers(line)), strict=True))
    assert found["apart"] == pytest.approx(0.1, rel=0.1) and line.endswith("9 neighbours")
    assert found["omega_0"] == pytest.approx(0.11 / found["apart"], rel=0.01)  # cycles per sample
    assert found["radius"] == pytest.approx(float(model.convs[0].kernel.fitted_radius[0]), rel=0.01)


def _numbers(line):
    return re.search(r"omega_0 ([\d.]+): samples ([\d.]+) apart, windows to ([\d.]+)", line).groups()


def test_grids_too_and_given_kernels_say_nothing():
    grids = torch.randn(2, 2, 16, 16)
    model = network(2)
    model(grids)
    omega_0, apart, radius = map(float, _numbers(fit_line(model, (grids, None))))
    assert apart == pytest.approx(2 / 15, rel=0.01)
    assert omega_0 == pytest.approx(min(0.65 / apart, 16 / radius), rel=0.01)
    given = network(2, omega_0=1.0)
    given(grids)
    assert fit_line(given, (grids, None)) == ""


@pytest.mark.parametrize("count", [2, 5])
def test_a_spacing_that_is_not_known(count):
    some = [Data(x=torch.randn(count, 2), pos=torch.rand(count, 3), y=0) for _ in range(2)]
    batch = Batch.from_data_list(some)
    model = network(3, num_neighbors=2)
    model(batch)
    assert fit_line(model, batch) == (
        "the spacing of the points in the first clouds is unknown: none has six different positions"
    )


def test_lines():
    assert time_line(2.0, 300, 12) == "an epoch takes about 10 min, 12 of them about 2 h, without validation"
    assert time_line(0.01, 300, 0) == "an epoch takes about 3 s, without validation"
    y = torch.tensor([0, 0, 1])
    data = SimpleNamespace(train_set=_Samples(y), classes=["a", "b"], validation_set=[1, 2])
    assert data_line(data) == "data: 3 training samples, 2 classes of 1 to 2; 2 validation samples"
    data.train_set = [0] * 4
    assert data_line(data) == "data: 4 training samples, 2 classes; 2 validation samples"


class _Samples(list):
    def __init__(self, y):
        super().__init__(range(len(y)))
        self.y = y


def test_the_time_is_told_once_after_some_batches(monkeypatch):
    clock = iter([10.0, 12.0, 14.0, 16.0, 18.0])
    monkeypatch.setattr(first_batches.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(first_batches, "fit_line", lambda *_: "fitted")
    told = []
    callback = FirstBatches(told.append)
    trainer = SimpleNamespace(
        is_global_zero=True, global_step=1, num_training_batches=100, max_epochs=11, current_epoch=1
    )
    for i in range(5):
        callback.on_train_batch_end(trainer, SimpleNamespace(network=None), None, None, i)
    assert told == ["fitted", "an epoch takes about 3.3 min, 10 of them about 33 min, without validation"]
