"""Folders of a network for several kinds of data: the trunk once, the same outputs, and what a message says."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from ccnn_geo import CCNN, JointCCNN
from ccnn_geo.export import exportable, load_classifier

SIZES = {"hidden_channels": 6, "num_blocks": 2, "kernel_hidden": 4, "omega_0": 0.5, "window_init": 0.3}


def joint(own=("norms", "scales")) -> JointCCNN:
    """After a batch of each kind."""
    kinds = {"images": 1, "clouds": 4}
    networks = {k: CCNN(c, 3, 3, num_neighbors=5, dropout=0.1, **SIZES) for k, c in kinds.items()}
    model = JointCCNN(networks, own)
    for kind, given in inputs().items():
        model(kind, *given)
    return model.eval()


def inputs() -> dict[str, tuple[torch.Tensor, ...]]:
    return {"images": (torch.randn(2, 1, 6, 7),), "clouds": (torch.randn(30, 4), torch.rand(30, 3))}


def edit(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


@pytest.mark.parametrize(
    "own", [("norms", "scales"), ("norms",), ()], ids=lambda own: "-".join(own) or "none"
)
def test_it_comes_back_and_is_still_shared(tmp_path, own):
    model = joint(own)
    again = JointCCNN.from_pretrained(model.save_pretrained(tmp_path / "m"))
    assert again.config == model.config and again.own == own and repr(again) == repr(model)
    assert not again.training
    state = again.state_dict()
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert [n for n, _ in again.named_parameters()] == [n for n, _ in model.named_parameters()]
    for kind, given in inputs().items():
        assert torch.equal(again(kind, *given), model(kind, *given))
    for conv in again["clouds"].convs[1:]:  # of one kind, and felt by the other
        torch.nn.init.zeros_(conv.pointwise.weight)
    given = inputs()["images"]
    assert not torch.equal(again("images", *given), model("images", *given))


def test_the_trunk_is_written_once(tmp_path):
    model = joint()
    stored = load_file(model.save_pretrained(tmp_path / "m") / "model.safetensors")
    parameters = sum(p.numel() for p in model.parameters())
    assert sum(stored[n].numel() for n, _ in model.named_parameters()) == parameters
    buffers = {n for n, _ in model.named_buffers()}
    assert stored.keys() == {n for n, _ in model.named_parameters()} | buffers


def test_what_a_kind_becomes(tmp_path):
    """A network of its own, and what a program is traced from."""
    model = JointCCNN.from_pretrained(joint().save_pretrained(tmp_path / "m"))
    plain = model.separate("clouds")
    again = CCNN.from_pretrained(plain.save_pretrained(tmp_path / "clouds"))
    x, pos = torch.randn(1, 12, 4), torch.rand(1, 12, 3)
    expected = model("clouds", x[0], pos[0])
    torch.testing.assert_close(again(x[0], pos[0]), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(exportable(again)(x, pos), expected, rtol=1e-4, atol=1e-5)


def test_a_folder_of_the_other_sort(tmp_path):
    model = joint()
    folder = model.save_pretrained(tmp_path / "m")
    alone = model.separate("clouds").save_pretrained(tmp_path / "alone")
    with pytest.raises(
        ValueError, match=r"holds a JointCCNN, expected a CCNN; JointCCNN\.from_pretrained reads it"
    ):
        CCNN.from_pretrained(folder)
    with pytest.raises(
        ValueError, match=r"holds a CCNN, expected a JointCCNN; CCNN\.from_pretrained reads it"
    ):
        JointCCNN.from_pretrained(alone)
    edit(alone, model="ThirdNet")
    with pytest.raises(ValueError, match="holds a ThirdNet, expected a CCNN"):
        CCNN.from_pretrained(alone)
    with pytest.raises(ValueError, match="a JointCCNN without classes"):
        load_classifier(folder)


def test_folders_that_do_not_fit(tmp_path):
    folder = joint().save_pretrained(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    network = config["network"]
    clouds = network["networks"]["clouds"]
    for changes, message in (
        ({"own": ["norms"]}, "expected networks by kind, and a list own; got own"),
        ({**network, "own": ["heads"]}, "expected own to be some of"),
        ({**network, "networks": {**network["networks"], "tones": clouds}}, "there are no weights of tones"),
        ({**network, "networks": {"clouds": clouds}}, "do not fit config.json, without .* and with"),
        (
            {**network, "networks": {**network["networks"], "clouds": {**clouds, "spin": 1}}},
            "clouds: the network has spin",
        ),
        (
            {**network, "networks": {**network["networks"], "clouds": {**clouds, "num_blocks": 1}}},
            "expected networks with the same blocks",
        ),
    ):
        edit(folder, network=changes)
        with pytest.raises(ValueError, match=message):
            JointCCNN.from_pretrained(folder)
    edit(folder, network=network, sha256=None)
    stored = load_file(folder / "model.safetensors")
    del stored["networks.clouds.head.linear.bias"]
    save_file(stored, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"do not fit config.json, without networks.clouds.head.linear.bias"):
        JointCCNN.from_pretrained(folder)
    save_file({**stored, "strange": torch.zeros(2)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"do not fit config.json, without .* and with strange"):
        JointCCNN.from_pretrained(folder)


def test_what_would_be_lost_is_named(tmp_path):
    model = joint()
    model["clouds"].num_neighbors = 9
    with pytest.raises(
        ValueError, match=r"JointCCNN.save_pretrained: networks.clouds.num_neighbors is 9, but 5"
    ):
        model.save_pretrained(tmp_path / "m")
    assert not (tmp_path / "m").exists()
