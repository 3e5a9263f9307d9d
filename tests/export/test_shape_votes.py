"""A shape that is asked several times: other points each time, and the mean of what is said."""

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.export import Predictor
from ccnn_geo.transforms import ShapePipeline

RNG = np.random.default_rng(0)


def predictor(**given):
    torch.manual_seed(0)
    features = ("constant", "pos")
    pipeline = ShapePipeline(num_points=32, num_samples=128, features=features, **given)
    network = CCNN(4, 3, 3, hidden_channels=8, num_blocks=1, kernel_hidden=4, num_neighbors=8)
    network(torch.randn(80, 4), torch.rand(80, 3), torch.arange(80) // 40)
    return Predictor(network.eval(), ("a", "b", "c"), pipeline)


@pytest.mark.parametrize("subset", ["random", "farthest"])
def test_the_answer_is_the_mean_of_the_logits_of_all_choices(subset):
    model, cloud = predictor(subset=subset), RNG.normal(size=(500, 3))
    shape = model.pipeline.read(cloud)
    choices = [model.pipeline.choice(shape, number) for number in range(3)]
    assert torch.equal(choices[0].pos, model.pipeline(shape).pos)
    assert len({tuple(sorted(one.pos[:, 0].tolist())) for one in choices}) == 3
    with torch.no_grad():
        logits = torch.stack([model.network(one.x, one.pos)[0] for one in choices]).mean(0)
    found = model.voting(subsets=3)(cloud)
    assert list(found.probabilities.values()) == pytest.approx(logits.softmax(0).tolist(), abs=1e-6)
    beside = model.voting(subsets=3).batch([cloud[:100], cloud])[1]
    assert beside.probability == pytest.approx(found.probability, abs=1e-6)


def test_it_leaves_random_numbers_of_others_alone():
    model, cloud = predictor(subset="farthest").voting(subsets=2), RNG.normal(size=(100, 3))
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    model(cloud)
    assert torch.equal(torch.rand(4), expected)


def test_grids_are_asked_of_other_cells_and_rotations_are_not_for_shapes():
    model = predictor(carrier="voxels", voxel_size=8)
    assert model.voting(subsets=2)(RNG.normal(size=(200, 3))).label in "abc"
    with pytest.raises(ValueError, match="rotations are for scans, this network takes shapes"):
        model.voting(rotations=2)
