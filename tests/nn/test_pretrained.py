"""Folders of a model: what comes back, what is refused, and what a message says."""

import json
import math
import sys
import types

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch_geometric.nn.aggr import SumAggregation

from ccnn_geo import CCNN, JointCCNN
from ccnn_geo.kernels import KERNELS
from ccnn_geo.nn.ccnn import PRESETS

SIZES = {"hidden_channels": 8, "num_blocks": 2, "kernel_hidden": 4, "omega_0": 0.5, "window_init": 0.3}
SMALL = {**SIZES, "num_blocks": 1}


def clouds(dim=3):
    return torch.randn(40, 2), torch.rand(40, dim) * 2 - 1, torch.arange(40) // 20


def used(model):
    """After a batch has set scales, domains and statistics."""
    model.train()(*clouds(model.dim))
    return model.eval()


@pytest.fixture
def saved(tmp_path):
    used(CCNN(2, 3, 3, num_neighbors=8, **SMALL)).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def edit(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    for key, value in changes.items():
        config[key] = value(config.get(key)) if callable(value) else value
    (folder / "config.json").write_text(json.dumps(config))


ARGUMENTS = [
    {"block": "s4", "dropout": 0.3, "drop_path": 0.2, "readout": "node"},
    {"block": "flex", "pool": "mean_max", "num_taps": 12.0, "kernel_radius": 2.0},
    {
        "init_spacing": "auto",
        "window_init": 0.9,
        "low_pass": 0.1,
        "window": "tapered",
        "window_threshold": 1e-3,
    },
    {"init_spacing": 0.2, "window": None, "kernel_domain": math.inf, "kernel_layers": 2},
    {"measure": "quadrature", "num_neighbors": None, "window_isotropic": False},
    {"measure": "density", "method": "plain", "aggr": "mean", "flow": "target_to_source"},
    {"method": "edge", "dim": 1, "causal": True, "num_neighbors": torch.tensor(9).item()},
    *({"kernel": name} for name in KERNELS if name != "magnet"),
]


@pytest.mark.parametrize("given", ARGUMENTS, ids=lambda given: "-".join(map(str, given)))
def test_every_argument_comes_back(tmp_path, given):
    model = used(CCNN(2, 3, **{"dim": 3, "num_neighbors": 8, **SMALL, **given}))
    state = torch.get_rng_state()
    again = CCNN.from_pretrained(model.save_pretrained(tmp_path / "m"))
    assert torch.equal(state, torch.get_rng_state())
    assert again.config == model.config and model.config.items() >= given.items()
    assert not again.training and repr(again) == repr(model)
    for (name, value), (other, found) in zip(
        model.state_dict().items(), again.state_dict().items(), strict=True
    ):
        assert name == other and value.dtype == found.dtype and torch.equal(value, found)
    assert [n for n, p in again.named_parameters() if p.requires_grad] == [
        n for n, _ in model.named_parameters()
    ]
    batch = clouds(model.dim)
    torch.testing.assert_close(again(*batch), model(*batch), rtol=0, atol=0)


@pytest.mark.parametrize("preset", ["ccnn_4_16", "ccnn_4_140"])
def test_presets_come_back_as_sizes(tmp_path, preset):
    model = CCNN.from_preset(preset, dim=2, in_channels=1, out_channels=2)
    again = CCNN.from_pretrained(model.save_pretrained(tmp_path / "m"))
    assert again.config.items() >= {**PRESETS[preset], "in_channels": 1, "dim": 2}.items()
    assert (
        not again.head.linear.weight.requires_grad or not again.head.scale.is_known
    )  # a fresh one waits for its first batch still


def test_the_first_batch_is_not_forgotten(saved):
    """Another batch in evaluation, on points and on a grid, scales nothing anew."""
    model = CCNN.from_pretrained(saved)
    assert all(conv.scale.is_known for conv in model.convs) and model.head.scale.is_known
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model(*clouds())
    model(torch.randn(2, 2, 4, 4, 4))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_double_precision_stays(tmp_path):
    model = CCNN(2, 3, 3, num_neighbors=8, **SMALL).double()
    x, pos, batch = clouds()
    model(x.double(), pos.double(), batch)
    again = CCNN.from_pretrained(model.eval().save_pretrained(tmp_path / "m"))
    assert torch.equal(again(x.double(), pos.double(), batch), model(x.double(), pos.double(), batch))


def test_a_kind_of_a_joint_network(tmp_path):
    joint = JointCCNN({"a": CCNN(2, 3, 3, **SMALL), "b": CCNN(4, 3, 3, **SMALL)})
    joint("a", *clouds()[:2])
    with pytest.raises(ValueError, match=r"without blocks.0.*separate\(\)"):
        joint["a"].save_pretrained(tmp_path / "m")
    plain = joint.eval().separate("a")
    again = CCNN.from_pretrained(plain.save_pretrained(tmp_path / "m"))
    batch = clouds()
    assert torch.equal(again(*batch), plain(*batch))
    torch.testing.assert_close(again(*batch), joint("a", *batch[:2], batch=batch[2]), rtol=1e-5, atol=1e-5)


def test_what_would_be_lost_is_named(tmp_path):
    model = CCNN(2, 3, 3, **SMALL)
    model.num_neighbors = 7
    with pytest.raises(ValueError, match="num_neighbors is 7, but 256"):
        model.save_pretrained(tmp_path / "m")
    model = CCNN(2, 3, 3, **SMALL)
    model.stem.method = "edge"
    with pytest.raises(ValueError, match=r"stem.method is 'edge', but 'auto'"):
        model.save_pretrained(tmp_path / "m")
    trunk = JointCCNN({"a": CCNN(2, 3, 3, **SMALL), "b": CCNN(2, 3, 3, **{**SMALL, "omega_0": 3.0})})
    with pytest.raises(ValueError, match=r"omega_0 is 0.5, but 3.0"):
        trunk.separate("b").save_pretrained(tmp_path / "m")
    with pytest.raises(ValueError, match="plain value for aggr"):
        CCNN(2, 3, 3, aggr=SumAggregation(), **SMALL).save_pretrained(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_pickles_are_refused(saved, tmp_path):
    model = CCNN.from_pretrained(saved)
    (saved / "model.safetensors").unlink()
    for name in ("pytorch_model.bin", "best.ckpt", "weights.pt"):
        torch.save(model.state_dict(), saved / name)
        with pytest.raises(ValueError, match=rf"{name}.*pickles can run code.*ccnn-geo export"):
            CCNN.from_pretrained(saved)
    again = CCNN.from_pretrained(saved, allow_pickle=True)
    assert torch.equal(again.head.linear.weight, model.head.linear.weight)

    class Hostile:
        def __reduce__(self):
            return exit, (3,)

    torch.save({"head.linear.weight": Hostile()}, saved / "pytorch_model.bin")
    with pytest.raises(ValueError, match="not plain tensors"):
        CCNN.from_pretrained(saved, allow_pickle=True)
    only = tmp_path / "only"
    only.mkdir()
    torch.save({}, only / "last.ckpt")
    with pytest.raises(ValueError, match=r"last.ckpt and no config.json.*pickles"):
        CCNN.from_pretrained(only)
    with pytest.raises(ValueError, match=r"a file, expected a folder.*ccnn-geo export"):
        CCNN.from_pretrained(only / "last.ckpt")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"format_version": 3, "package_version": "3.1"},
            r"format 3, written by ccnn_geo 3.1.*up to 2.*3.1 or newer",
        ),
        ({"format_version": "1"}, "format_version of 1 or more, got '1'"),
        ({"format": "other"}, 'expected "format": "ccnn_geo"'),
        ({"network": 3}, "damaged, expected the network's arguments"),
        (
            {"network": lambda n: {**n, "spin": 1, "tint": 2}},
            r"the network has spin, tint, which ccnn_geo .* not know",
        ),
        (
            {"network": lambda n: {k: n[k] for k in n if k not in ("dim", "in_channels")}},
            "lacks dim, in_channels",
        ),
        ({"network": lambda n: {**n, "pool": "median"}}, "expected pool to be one of"),
        ({"network": lambda n: {**n, "dim": "3"}}, "config.json"),
        (
            {"network": lambda n: {**n, "num_blocks": 2}},
            r"config.json .*: the network has more parameters than the \d+ stored in 82 tensors",
        ),
        (
            {"network": lambda n: {**n, "num_blocks": 0}},
            r"do not fit config.json, with blocks.0.* and \d+ more",
        ),
        ({"network": lambda n: {**n, "hidden_channels": 9}}, r"is \[8.*\], expected \[9"),
    ],
)
def test_configurations_that_do_not_fit(saved, changes, message):
    edit(saved, **changes)
    with pytest.raises(ValueError, match=message):
        CCNN.from_pretrained(saved)


def test_configurations_of_older_releases(saved):
    """Arguments that an older release did not know have their defaults; what others add beside is left alone."""
    model = CCNN.from_pretrained(saved)
    edit(
        saved,
        network=lambda n: {k: v for k, v in n.items() if k not in ("low_pass", "drop_path", "init_spacing")},
    )
    edit(saved, package_version="0.0.1", license="mit")
    assert CCNN.from_pretrained(saved).config == model.config


def test_damaged_files(saved):
    weights = (saved / "model.safetensors").read_bytes()
    flipped = weights[:-3] + bytes([weights[-3] ^ 1]) + weights[-2:]
    (saved / "model.safetensors").write_bytes(flipped)
    with pytest.raises(ValueError, match=r"damaged, or of another model: its checksum"):
        CCNN.from_pretrained(saved)
    edit(saved, sha256=None)  # of those who replace the weights
    CCNN.from_pretrained(saved)
    for damaged in (weights[:-9], weights[:5], b""):
        (saved / "model.safetensors").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"model.safetensors: damaged"):
            CCNN.from_pretrained(saved)
    tensors = {"head.linear.bias": torch.zeros(3)}
    save_file(tensors, saved / "model.safetensors")
    with pytest.raises(ValueError, match="more parameters than the 3 stored in 1 tensors"):
        CCNN.from_pretrained(saved)
    for damaged in (b"{", b"\xff", b"[" * 100_000):
        (saved / "config.json").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"config.json: damaged"):
            CCNN.from_pretrained(saved)
    (saved / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="not of this package"):
        CCNN.from_pretrained(saved)


def test_a_folder_is_complete_or_absent(tmp_path, monkeypatch):
    model, target = CCNN(2, 3, 3, **SMALL), tmp_path / "m"

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("safetensors.torch.save", full)
        with pytest.raises(OSError, match="No space"):
            model.save_pretrained(target)
    assert list(tmp_path.iterdir()) == []
    target.mkdir()
    model.save_pretrained(target)
    (target / "README.md").write_text("a card")
    before = load_file(target / "model.safetensors")["head.linear.weight"]
    with pytest.raises(ValueError, match=r"not empty.*overwrite"):
        model.save_pretrained(target)
    model.reset_parameters()
    model.save_pretrained(target, overwrite=True)
    assert (target / "README.md").read_text() == "a card"
    assert not torch.equal(before, CCNN.from_pretrained(target).head.linear.weight)
    with monkeypatch.context() as patch:
        patch.setattr("safetensors.torch.save", full)
        with pytest.raises(OSError, match="No space"):
            model.save_pretrained(target, overwrite=True)
    with pytest.raises(FileNotFoundError, match=r"no config.json"):
        CCNN.from_pretrained(target)
    monkeypatch.chdir(tmp_path)
    killed = tmp_path / "killed"
    killed.mkdir()
    for part in ("model.safetensors", ".config.json.77.tmp"):
        (killed / part).write_bytes(b"part")
    model.save_pretrained("killed")
    assert CCNN.from_pretrained("killed").config == model.config
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="a file, expected a folder"):
        model.save_pretrained(tmp_path / "file")


def test_the_hub(saved, monkeypatch):
    asked = []

    def download(name, **given):
        asked.append((name, given))
        if given["revision"] == "gone":
            raise RuntimeError("404 Client Error\nmore")
        return str(saved)

    fake = types.ModuleType("huggingface_hub")
    fake.snapshot_download = download
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    model = CCNN.from_pretrained("someone/shapes", revision="v2", token="t")
    assert model.config["in_channels"] == 2
    wanted = ["config.json", "model.safetensors"]
    assert asked == [("someone/shapes", {"revision": "v2", "allow_patterns": wanted, "token": "t"})]
    with pytest.raises(
        FileNotFoundError, match=r"no such local folder.*RuntimeError: 404 Client Error more\)"
    ):
        CCNN.from_pretrained("someone/shapes", revision="gone")
    with pytest.raises(ValueError, match="no revisions, got revision='v2'"):
        CCNN.from_pretrained(saved, revision="v2")
    with pytest.raises(FileNotFoundError, match="not a name on the hub"):
        CCNN.from_pretrained("runs/shapes/001")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install 'ccnn_geo\[hub\]'"):
        CCNN.from_pretrained("someone/shapes")
