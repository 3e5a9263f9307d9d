"""Models and checkpoints that lie, and pickles of all kinds: refused by name, nothing executed, with little memory."""

import io
import json
import pickle
import struct

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN, predict
from ccnn_geo.cli import main
from ccnn_geo.datasets.images.cifar import CIFAR10
from ccnn_geo.datasets.images.pathfinder_files import read_metadata
from ccnn_geo.datasets.text.tokens import load_tokens
from ccnn_geo.experiments.fuzz import fuzz_stored_seeds as seeds
from ccnn_geo.experiments.fuzz.fuzz_readers import limited_memory, limited_time
from ccnn_geo.export.predictor import Predictor
from ccnn_geo.io.files.mapped import MappedArray
from tests.hostile.lies import BILLION, npy, npz, put
from tests.torch_versions import since_2_10


@pytest.fixture(autouse=True)
def limits():
    """No test here has a reason to take memory or time, whatever a file says."""
    with limited_memory(400 * 2**20), limited_time() as clock:
        clock(10.0)
        yield


def test_pickles_are_not_opened(tmp_path, capsys):
    """Those here would end the program."""
    hostile = seeds.hostile_pickle()
    with pytest.raises(SystemExit):
        pickle.loads(hostile)
    put(tmp_path / "cifar-10-batches-py/data_batch_1", hostile)
    with pytest.raises(FileNotFoundError, match=r"no cifar-10-binary\.tar\.gz"):
        CIFAR10(tmp_path, download=False)
    for i in range(1, 6):
        put(tmp_path / f"cifar-10-batches-bin/data_batch_{i}.bin", hostile)
    with pytest.raises(ValueError, match=r"data_batch_1\.bin: \d+ bytes, expected 10000 images of 3073"):
        CIFAR10(tmp_path, download=False)
    with pytest.raises(ValueError, match="a pickle, which runs code when it is read"):
        read_metadata(put(tmp_path / "0.npy", hostile))
    objects = npy((1,), "|O", hostile)
    for read, path in (
        (read_metadata, put(tmp_path / "1.npy", objects)),
        (MappedArray, tmp_path / "1.npy"),
        (
            load_tokens,
            put(tmp_path / "a.npz", npz(tokens=objects, offset=objects, y=objects, symbols=objects)),
        ),
    ):
        with pytest.raises(ValueError, match=rf"{path}.* Python objects"):
            read(path)
    repacked = seeds.repack(seeds.checkpoint(), "data.pkl", hostile)
    for path in (put(tmp_path / "a.ckpt", hostile), put(tmp_path / "b.ckpt", repacked)):
        with pytest.raises(
            ValueError, match=rf"{path}: not a checkpoint of ccnn-geo train, or a damaged one"
        ):
            predict(path, np.zeros((4, 3)))
        assert main(["predict", str(path), "a.off"]) == 1
        assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture
def folder(tmp_path):
    put(tmp_path / "model/model.safetensors", seeds.model_folder()["model.safetensors"])
    return tmp_path / "model"


def configure(folder, **network):
    config = json.loads(seeds.model_folder()["config.json"])
    config["network"] |= network
    put(folder / "config.json", json.dumps(config).encode())


@pytest.mark.parametrize("value", [10**6, BILLION, 10**12, 10**30, -1, 1.5, "x", [], {}])
@pytest.mark.parametrize("name", ["hidden_channels", "num_blocks", "kernel_hidden", "kernel_layers", "dim"])
def test_configurations_that_lie(folder, name, value):
    configure(folder, **{name: value})
    with pytest.raises(ValueError, match=r"model/config\.json \(written by ccnn_geo .*\): "):
        CCNN.from_pretrained(folder)


def test_a_network_larger_than_its_weights_is_never_filled(folder):
    configure(folder, hidden_channels=10**5, num_blocks=BILLION)
    with pytest.raises(ValueError, match=r"the weights do not fit: the network has more parameters"):
        CCNN.from_pretrained(folder)


def safetensors(header: dict, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        struct.pack("<Q", 2**63) + b"{}",
        safetensors({"a": {"dtype": "F32", "shape": [BILLION, BILLION], "data_offsets": [0, 4]}}, bytes(4)),
        safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2**62]}}, bytes(4)),
        safetensors({"a": {"dtype": "F4", "shape": [8], "data_offsets": [0, 4]}}, bytes(4)),
        safetensors({"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
        safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(5)),
    ],
)
def test_weights_that_lie(folder, content):
    config = seeds.model_folder()["config.json"].replace(b"sha256", b"sha")  # which would find it
    put(folder / "config.json", config)
    put(folder / "model.safetensors", content)
    with pytest.raises(ValueError, match=r"model\.safetensors: damaged"):
        CCNN.from_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": {"hidden_channels": 10**5, "num_blocks": BILLION, "kernel_hidden": 4}}, "do not fit"),
        ({"network": {"hidden_channels": "x", "num_blocks": 1, "kernel_hidden": 4}}, "or damaged"),
        ({"network": [1]}, "without settings of network"),
        ({"classes": 7}, "of another release of ccnn_geo, or damaged"),
        ({"in_channels": 2**62}, "of another release of ccnn_geo, or damaged"),
        ({"dim": "three"}, "of another release of ccnn_geo, or damaged"),
        ({"data": 5}, "without settings of data"),
        ({"data": {"subset": "x"}}, "data.subset: expected one of"),
    ],
)
def test_checkpoints_that_lie(tmp_path, change, message):
    stored = torch.load(io.BytesIO(seeds.checkpoint()), weights_only=True)
    stored["hyper_parameters"] |= change
    torch.save(stored, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=rf"a\.ckpt: .*({message})"):
        Predictor.load(tmp_path / "a.ckpt")


@since_2_10
def test_tensors_larger_than_their_storage(tmp_path):
    file = io.BytesIO()
    torch.save({"state_dict": {"w": torch.zeros(10)}, "hyper_parameters": {}}, file)
    plain = seeds.member(file.getvalue(), "data.pkl")
    for lie in (
        plain.replace(b"K\n", b"M\xff\x7f"),
        plain.replace(b"K\x00K\n\x85", b"K\x00J\xff\xff\xff\x0f\x85"),
    ):
        assert lie != plain
        path = put(tmp_path / "a.ckpt", seeds.repack(file.getvalue(), "data.pkl", lie))
        with pytest.raises(
            ValueError, match=r"a\.ckpt: not a checkpoint of ccnn-geo train, or a damaged one"
        ):
            Predictor.load(path)
