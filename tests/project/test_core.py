"""The core without an extra: layers, networks and commands work, and what is missing is named in one line."""

import json
from pathlib import Path

import pytest

from tests.fixtures.core_only import core_packages

TRAINING = "needs pytorch-lightning, jsonargparse, torchmetrics, pyyaml"
FILES = "a.off a.obj a.ply a.stl a.pcd a.xyz a.npy"

WORKING = {
    "--version": "ccnn-geo ",
    "--help": "usage: ccnn-geo COMMAND",
    "info": "missing: pip install 'ccnn_geo[train]'",
    "info ccnn_4_16": "6,545",
    "info a.ckpt": "6 channels, 2 outputs",
    f"predict a.ckpt {FILES}": "a.pcd  ",
    "export a.ckpt folder": "model.safetensors",
    "predict folder a.npy --json": '"class"',
    "data list": "modelnet40",
    "data info cifar10": "cifar-10",
    "data prepare parametric --root made --split test": "ready for ccnn-geo train",
    "train --help": "usage: ccnn-geo train",
    "test --help": "usage: ccnn-geo test",
    "reproduce --help": "the Long Range Arena",
}
"""Commands, and a part of what they print."""

MISSING = {
    "train --config demo": f"train: {TRAINING}: pip install 'ccnn_geo[train]'",
    "train --data.dataset cifar10 --help": f"train: {TRAINING}: pip install 'ccnn_geo[train]'",
    "test a.ckpt": f"test: {TRAINING}: pip install 'ccnn_geo[train]'",
    "info demo": f"info demo: {TRAINING}: pip install 'ccnn_geo[train]'",
    "data prepare cifar10": "fetch data/cifar10/cifar-10-binary.tar.gz: needs pooch: pip install 'ccnn_geo[data]'",
    "data prepare listops --option generate=true": "--option: needs pyyaml: pip install 'ccnn_geo[data]'",
    "data prepare image_folder --root images": "read_image: needs pillow: pip install 'ccnn_geo[data]'",
    "data check tables": "tables/train.parquet: needs pyarrow: pip install 'ccnn_geo[parquet]'",
    "show kernels a.ckpt": "show kernels: needs matplotlib: pip install 'ccnn_geo[viz]'",
    "show kernels a.ckpt --html": "show kernels: needs plotly: pip install 'ccnn_geo[viz]'",
    "show cloud a.ckpt a.off": "show cloud: needs matplotlib: pip install 'ccnn_geo[viz]'",
    "show cloud a.ckpt --sample 1": f"show cloud: {TRAINING}: pip install 'ccnn_geo[train]'",
    "show run .": "show run: needs matplotlib: pip install 'ccnn_geo[viz]'",
    "export a.ckpt program --format onnx": "export to ONNX: needs onnx: pip install 'ccnn_geo[onnx]'",
    "reproduce": f"reproduce: {TRAINING}, matplotlib: pip install 'ccnn_geo[all]'",
    "reproduce table1": f"reproduce: {TRAINING}, matplotlib: pip install 'ccnn_geo[all]'",
}
"""Commands, and the line that they end with."""


@pytest.fixture(scope="module")
def found(core_only, tmp_path_factory):
    """What the script saw, which runs every command in one process: importing torch takes longer than they."""
    folder = tmp_path_factory.mktemp("work")
    script = Path(__file__).with_name("core_commands.py")
    done = core_only(str(script), cwd=folder, input="\n".join([*WORKING, *MISSING]))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_core_is_five_packages():
    assert core_packages() == ["torch", "torch-geometric", "numpy", "scipy", "safetensors"]


def test_layers_and_prediction_need_no_extra(found):
    assert found["layer"] == [30, 3] and found["probabilities"] == pytest.approx(1)


@pytest.mark.parametrize("line", WORKING)
def test_a_command_of_the_core_works(found, line):
    code, output, errors = found["commands"][line]
    assert (code, errors) == (0, "") and WORKING[line] in output


@pytest.mark.parametrize("line", MISSING)
def test_a_command_names_the_extra_that_it_misses(found, line):
    code, _, errors = found["commands"][line]
    assert (code, errors) == (1, f"ccnn-geo: {MISSING[line]}\n")


def test_functions_name_the_extra_that_they_miss(found):
    assert found["functions"] == {
        "training": f"ccnn_geo.training: {TRAINING}: pip install 'ccnn_geo[train]'",
        "hub": "user/name: no such local folder; the Hugging Face hub: needs huggingface_hub: "
        "pip install 'ccnn_geo[hub]'",
    }


def test_the_process_really_has_no_extra(core_only, tmp_path):
    done = core_only("-c", "import tqdm, requests, filelock; import yaml", cwd=tmp_path)
    assert done.stderr.endswith("No module named 'yaml'\n")  # the others come with torch and torch-geometric
