"""One trunk for several kinds of data: the same numbers as plain networks, and one gradient from all kinds."""

import copy

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.functional.representations import grid_positions, to_points
from ccnn_geo.nn.joint import JointCCNN, embed_grid
from ccnn_geo.nn.shared_conv import SharedConv

SIZES = {"hidden_channels": 8, "num_blocks": 2, "kernel_hidden": 6, "omega_0": 0.5, "window_init": 0.5}


def network(in_channels, out_channels, block="ccnn", **changes):
    return CCNN(in_channels, out_channels, 3, block=block, num_neighbors=10, **{**SIZES, **changes})


def joint(own=("norms", "scales"), block="ccnn"):
    torch.manual_seed(0)
    return JointCCNN({"images": network(2, 3, block), "clouds": network(6, 4, block)}, own)


def images():
    return torch.randn(3, 2, 5, 6)


def clouds():
    return {
        "x": torch.randn(50, 6),
        "pos": torch.rand(50, 3) * 2 - 1,
        "batch": torch.arange(50) // 25,
    }


def used(model):
    """The model after a batch of each kind has set the scales and moved the norms."""
    model("images", images(), spacing=0.2)
    model("clouds", **clouds())
    return model.eval()


@pytest.mark.parametrize(
    ("own", "block"),
    [(("norms", "scales"), "ccnn"), (("norms",), "flex"), (("scales",), "flex"), ((), "ccnn")],
)
def test_each_kind_is_a_plain_network_with_the_trunks_weights(own, block):
    """Weights are put together by hand; on the grid, on the same samples as points, and on clouds."""
    model = used(joint(own, block))
    for kind, plain in (("images", network(2, 3, block)), ("clouds", network(6, 4, block))):
        state, scales = {}, {}
        stored = model.networks[kind].state_dict()
        for key, value in stored.items():
            prefix = key.removesuffix("scale.moment")
            if f"{prefix}conv.{key[len(prefix) :]}" in stored:  # of a convolution that is shared
                scales[prefix] = value
            else:
                state[key] = value.clone()
        for prefix, square in scales.items():
            for name in ("weight", "bias"):
                state[f"{prefix}conv.kernel.network.output.{name}"] /= square.sqrt()
            state = {key.replace(prefix + "conv.", prefix): value for key, value in state.items()}
        assert bool(scales) == ("scales" in own)
        plain.load_state_dict(state)
        plain.eval()
        parted = model.separate(kind)
        assert not any(isinstance(m, SharedConv) for m in parted.modules())
        assert {key: v.shape for key, v in parted.state_dict().items()} == {
            key: v.shape for key, v in state.items()
        }
        if kind == "images":
            grid, step = embed_grid(images(), 3, 0.2)
            expected = plain(grid, spacing=step)
            for found in (model(kind, grid[:, :, 0], spacing=0.2), parted(grid, spacing=step)):
                torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
            points = to_points(grid, step)
            plain.num_neighbors = model.networks[kind].num_neighbors = None  # a grid's pixel sees all others
            found = model(kind, points)
            torch.testing.assert_close(found, plain(points), rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        else:
            cloud = clouds()
            expected = plain(**cloud)
            for found in (model(kind, **cloud), parted(**cloud)):
                torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_step_on_both_kinds_has_the_sum_of_their_gradients():
    model = used(joint()).train()
    grid, cloud = images(), clouds()
    alone = []
    for kind, given in (("images", {"x": grid}), ("clouds", cloud)):
        plain = copy.deepcopy(model)
        plain(kind, **given).square().sum().backward()
        alone.append({name: p.grad for name, p in plain.named_parameters()})
    (model("images", grid).square().sum() + model("clouds", **cloud).square().sum()).backward()
    both = 0
    for name, p in model.named_parameters():
        parts = [grads[name] for grads in alone if grads[name] is not None]
        both += len(parts) == 2 and all(part.abs().max() > 0 for part in parts)
        torch.testing.assert_close(p.grad, sum(parts), rtol=1e-4, atol=1e-6, msg=name)
    trunk = [p for block in model["images"].blocks for m in block.children() for p in m.parameters()]
    norms = [p for block in model["images"].blocks for p in block.norm.parameters()]
    assert both == len(trunk) - len(norms)


def test_parameters_are_counted_once():
    model, plain = joint(), network(2, 3)
    count = lambda m: sum(p.numel() for p in m.parameters())  # noqa: E731
    trunk = count(plain.blocks) - sum(count(block.norm) for block in plain.blocks)
    assert count(model) == count(plain) + count(network(6, 4)) - trunk
    assert count(joint(own=())) == count(plain) + count(network(6, 4)) - count(plain.blocks) - 16


def sums_of_first_batches(model, kinds):
    """Mean squares of what each shared convolution hands to its linear layer, by kind."""
    seen = {kind: [] for kind in kinds}
    inputs = []
    for block in model["images"].blocks:
        conv = getattr(block.conv, "conv", block.conv)

        def mix(y, mix=conv.mix):
            inputs.append(y.square().mean().item())
            return mix(y)

        conv.mix = mix
    for kind in kinds:
        inputs.clear()
        model("images", torch.randn(3, 2, 16, 16)) if kind == "images" else model("clouds", **clouds())
        seen[kind] += inputs
    return seen


@pytest.mark.parametrize("kinds", [("images", "clouds"), ("clouds", "images")])
def test_fresh_sums_have_unit_variance_on_every_kind(kinds):
    """Whichever kind comes first; with one scale for all, the other kind's are far from it."""
    for squares in sums_of_first_batches(joint(), kinds).values():
        assert squares == pytest.approx([1, 1], rel=1e-3)
    one_scale = sums_of_first_batches(joint(own=("norms",)), kinds)
    assert one_scale[kinds[0]] == pytest.approx([1, 1], rel=1e-3)
    assert max(max(s, 1 / s) for s in one_scale[kinds[1]]) > 2


def test_scales_are_set_once_and_kept():
    model = used(joint())
    grid = images()
    expected = model("images", grid)
    other = joint()
    other.load_state_dict(model.state_dict())
    other.train()("images", 30 * grid)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.eval()("images", grid), expected)
    assert torch.equal(copy.deepcopy(model)("images", grid), expected)


@pytest.mark.parametrize("own", [("norms", "scales"), ()])
def test_a_trained_trunk_goes_on_as_it_was(own):
    trained, cloud = network(6, 4), clouds()
    trained(**cloud)
    expected = trained.eval()(**cloud)
    model = JointCCNN({"clouds": trained, "images": network(2, 3)}, own).eval()
    assert torch.equal(model("clouds", **cloud), expected)
    model("images", images())
    assert torch.equal(model("clouds", **cloud), expected)


def test_a_silent_batch_sets_no_scale():
    conv = SharedConv(network(2, 3).stem)
    conv(torch.zeros(2, 2, 4, 4, 4))
    assert not conv.scale.is_known
    conv(torch.randn(2, 2, 4, 4, 4))
    assert conv.scale.is_known


def test_embedded_grids_lie_in_the_plane_through_the_origin():
    x = torch.randn(2, 5, 4, 6)
    grid, step = embed_grid(x, 3, (0.5, 0.25))
    assert grid.shape == (2, 5, 1, 4, 6) and step == (1.0, 0.5, 0.25)
    pos = grid_positions(grid.shape[2:], step)
    assert torch.equal(pos[:, 0], torch.zeros(24))
    assert torch.equal(pos[:, 1:], grid_positions((4, 6), (0.5, 0.25)))
    assert embed_grid(x[..., 0], 3)[1] == (1.0, 1.0, pytest.approx(2 / 3))
    assert embed_grid(grid, 3)[0].shape == grid.shape
    for wrong in (x[:, :, 0, 0], torch.randn(1, 1, 2, 2, 2, 2)):
        with pytest.raises(ValueError, match="with 1 to 3 axes, got"):
            embed_grid(wrong, 3)


def test_finer_images_keep_the_response():
    """The measure of a pixel in three dimensions is its area: a constant image gives the same inside."""
    conv = network(2, 3, window="tapered", window_threshold=0.01).stem
    coarse, step = embed_grid(torch.ones(1, 2, 17, 17), 3, 0.2)
    at = conv(coarse, spacing=step)[..., 0, 8, 8]
    grid, step = embed_grid(torch.ones(1, 2, 33, 33), 3, 0.1)
    torch.testing.assert_close(conv.eval()(grid, spacing=step)[..., 0, 16, 16], at, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JointCCNN({}), "expected at least one network"),
        (lambda: joint(own=("heads",)), r"some of \('norms', 'scales'\), got \('heads',\)"),
        (lambda: joint(own="norms"), "got 'norms'"),
        (
            lambda: JointCCNN({"a": network(2, 3), "b": network(2, 3, hidden_channels=9)}),
            r"blocks.0.*\[8.*in 'a' and \[9.*in 'b'",
        ),
        (
            lambda: JointCCNN({"a": network(2, 3), "b": network(2, 3, num_blocks=3)}),
            "blocks.2 is nothing in 'a' and CCNNBlock in 'b'",
        ),
        (lambda: JointCCNN({"a": network(2, 3), "b": network(2, 3, "s4")}), "CCNNBlock in 'a' and S4Block"),
        (lambda: JointCCNN({"a.b": network(2, 3)}), "plain names"),
        (lambda: joint()("meshes", images()), "expected one of images, clouds, got 'meshes'"),
        (lambda: joint()("images", torch.randn(3, 2)), "expected a grid"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_every_part_learns():
    model = joint()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        model("images", images()).square().sum().backward()
        model("clouds", **clouds()).square().sum().backward()
        optimizer.step()
    still = [name for name, p in model.named_parameters() if torch.equal(p, before[name])]
    assert not still


def test_a_step_on_a_device_is_that_of_the_cpu(device):
    model = used(joint()).train()
    there = copy.deepcopy(model).to(device)
    grid, cloud = images(), clouds()
    for network, put in ((model, lambda t: t), (there, lambda t: t.to(device))):
        loss = network("images", put(grid), spacing=0.2).square().sum()
        loss = loss + network("clouds", **{name: put(t) for name, t in cloud.items()}).square().sum()
        loss.backward()
    scale = max(float(p.grad.abs().max()) for p in model.parameters())
    for (name, p), q in zip(model.named_parameters(), there.parameters(), strict=True):
        torch.testing.assert_close(q.grad.cpu(), p.grad, rtol=1e-3, atol=1e-5 * scale, msg=name)
