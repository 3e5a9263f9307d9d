"""Evidence per point adds up to what the network says; kernels and responses are those of the definition."""

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.nn.build import class_logits
from ccnn_geo.visualization import Sample, class_evidence, kernel_at, kernel_response


def network(dim, outputs=3, **kwargs):
    model = CCNN(
        2, outputs, dim, hidden_channels=4, num_blocks=2, kernel_hidden=4, omega_0=5.0, window_init=0.3,
        num_neighbors=8, **kwargs,
    ).double()  # fmt: skip
    with torch.no_grad():
        model.head.linear.bias.normal_()
    return model.train()


def cloud(n=40):
    return Sample("a", {"x": torch.randn(n, 2).double(), "pos": torch.rand(n, 3).double()})


def grid(*size):
    return Sample("a", {"x": torch.randn(1, 2, *size).double()})


@pytest.mark.parametrize(
    "kind",
    [
        {"block": "ccnn"},
        {"block": "flex"},
        {"pool": "mean_max"},
        {"pool": "sum"},
        {"members": 2, "pool": "mean_max"},
        {"members": 2, "set_channels": 3},
    ],
    ids=str,
)
@pytest.mark.parametrize("sample", [cloud(), grid(20), grid(7, 9), grid(4, 5, 3)], ids=lambda s: str(s.size))
def test_evidence_adds_up_to_the_logits(sample, kind):
    model = network(sample.pos.size(1), **kind)
    model(**sample.inputs)
    model.eval()
    evidence = class_evidence(model, sample)
    assert evidence.shape == (len(sample.pos), 3) and evidence.std(dim=0).min() > 1e-3
    with torch.no_grad():
        assert torch.allclose(evidence.mean(dim=0), model(**sample.inputs)[0], atol=1e-12)
    assert model.readout == "global"


def test_evidence_between_two_classes_and_per_point():
    sample = cloud()
    model = network(3, outputs=1)
    model(**sample.inputs)
    evidence = class_evidence(model.eval(), sample)
    expected = class_logits(model(**sample.inputs))[0]
    assert torch.allclose(evidence.mean(dim=0), expected, atol=1e-12) and not evidence[:, 0].any()
    model = network(3, readout="node")
    model(**sample.inputs)
    assert torch.allclose(class_evidence(model.eval(), sample), model(**sample.inputs), atol=1e-12)


def test_a_kernel_sees_the_neighbours_of_its_point():
    sample, model = cloud(), network(3)
    model(**sample.inputs)
    found = kernel_at(model.eval(), sample, layer=1, channel=2, point=5)
    pos = sample.pos
    near = (pos[5] - pos).norm(dim=1).argsort()[:8]
    assert sorted(near.tolist()) == (~found.isnan()).nonzero()[:, 0].tolist()
    definition = model.convs[1].kernel.definition(pos[5] - pos[near])[:, 2]
    assert torch.allclose(found[near], definition, atol=1e-12)


def test_a_response_is_the_sum_that_the_layer_mixes():
    for sample in (cloud(), grid(6, 5)):
        model = network(sample.pos.size(1))
        model(**sample.inputs)
        model.eval()
        out = []
        handle = model.convs[1].register_forward_hook(
            lambda _, __, output, out=out: out.append(output.detach())
        )
        found = torch.stack([kernel_response(model, sample, 1, c) for c in range(4)], dim=1)
        handle.remove()
        conv = model.convs[1]
        mixed = (found + conv.bias) @ conv.pointwise.weight.T + conv.pointwise.bias
        expected = out[0] if sample.is_points else out[0][0].flatten(1).T
        assert torch.allclose(mixed, expected, atol=1e-12)
        assert not conv._forward_pre_hooks  # nothing stays behind


def test_numbers_out_of_range_and_grids():
    model = network(3)
    for arguments, message in (
        ((3, 0, 0), "layer 0 to 2, got 3"),
        ((0, 2, 0), "channel of layer 0 0 to 1, got 2"),
        ((0, 0, 40), "point 0 to 39, got 40"),
    ):
        with pytest.raises(ValueError, match=message):
            kernel_at(model, cloud(), *arguments)
    with pytest.raises(ValueError, match="kernels of a grid are the same everywhere"):
        kernel_at(network(1), grid(9), 0, 0, 0)
