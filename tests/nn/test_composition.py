import numpy as np
import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.nn.composition import Composition

SIZES = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 4}


def test_fit_is_least_squares():
    rng = np.random.default_rng(0)
    sums = rng.integers(0, 6, (40, 3)).astype(float)
    values = sums @ rng.normal(size=(3, 2)) + 3 + 0.1 * rng.normal(size=(40, 2))
    values[5:9, 1] = np.nan
    fit = Composition(3, 2)
    fit.fit(torch.from_numpy(sums), torch.from_numpy(values))
    for target in range(2):
        known = ~np.isnan(values[:, target])
        design = np.column_stack([sums, np.ones(40)])[known]
        solution = np.linalg.lstsq(design, values[known, target], rcond=None)[0]
        left = values[known, target] - design @ solution
        np.testing.assert_allclose(fit.weight[target], solution[:3], atol=1e-5)
        assert float(fit.bias[target]) == pytest.approx(solution[3], abs=1e-5)
        assert float(fit.scale[target]) == pytest.approx(left.std(), rel=1e-5)


def test_features_that_are_always_as_many_do_no_harm():
    """A column of ones and kinds of which there is one each: their sums are not independent."""
    fit = Composition(3, 1)
    sums = torch.tensor([[2.0, 1.0, 1.0], [3.0, 1.0, 2.0], [5.0, 2.0, 3.0]])
    fit.fit(sums, torch.tensor([[1.0], [2.0], [3.0]]))
    assert bool(fit.weight.isfinite().all()) and float(fit.weight.abs().max()) < 2


def test_a_network_adds_it_to_what_it_says_of_the_arrangement():
    torch.manual_seed(0)
    model = CCNN(2, 1, 3, pool="sum", composition=True, **SIZES)
    plain = CCNN(2, 1, 3, pool="sum", **SIZES)
    x, pos, batch = torch.rand(9, 2), torch.rand(9, 3), torch.tensor([0] * 4 + [1] * 5)
    model(x, pos, batch)
    model.eval()
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("composition.")})
    plain.eval()
    model.composition.fit(torch.rand(8, 2), torch.rand(8, 1))
    part = model.composition
    sums = torch.stack([x[:4].sum(0), x[4:].sum(0)])
    expected = sums @ part.weight.T + part.bias + part.scale * plain(x, pos, batch)
    torch.testing.assert_close(model(x, pos, batch), expected)
    torch.testing.assert_close(model(x[:4], pos[:4]), expected[:1])


def test_a_grid_is_the_points_of_its_cells():
    part = Composition(2, 1)
    part.fit(torch.rand(8, 2), torch.rand(8, 1))
    grid = torch.rand(3, 2, 4, 5)
    points = grid.flatten(2).transpose(1, 2).reshape(-1, 2)
    outputs, batch = torch.rand(3, 1), torch.arange(3).repeat_interleave(20)
    torch.testing.assert_close(part(outputs, grid), part(outputs, points, batch))


def test_it_travels_with_the_weights(tmp_path):
    model = CCNN(2, 1, 3, composition=True, **SIZES)
    model(torch.rand(6, 2), torch.rand(6, 3))
    model.composition.fit(torch.rand(8, 2), torch.rand(8, 1))
    model.eval()
    model.save_pretrained(tmp_path / "model")
    again = CCNN.from_pretrained(tmp_path / "model").eval()
    x, pos = torch.rand(6, 2), torch.rand(6, 3)
    assert torch.equal(again(x, pos), model(x, pos)) and bool(again.composition.is_known)


def test_an_answer_per_point_has_none():
    with pytest.raises(ValueError, match="expected readout 'global' with composition"):
        CCNN(2, 1, 3, readout="node", composition=True, **SIZES)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_sum_of_points_is_a_sum(weighted):
    from ccnn_geo.nn import pool_clouds, pool_dense

    h, batch = torch.rand(6, 3), torch.tensor([0, 0, 0, 1, 1, 1])
    weight = torch.rand(6) if weighted else None
    rows = h if weight is None else h * weight[:, None]
    expected = torch.stack([rows[:3].sum(0), rows[3:].sum(0)])
    torch.testing.assert_close(pool_clouds("sum", h, batch, weight=weight), expected)
    dense = h.reshape(2, 3, 3).transpose(1, 2)
    weights = None if weight is None else weight.reshape(2, 3)
    torch.testing.assert_close(pool_dense("sum", dense, weights), expected)
