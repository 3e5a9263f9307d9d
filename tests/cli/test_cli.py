"""The command line: usage, mistakes, what it knows of itself, and trainings that cannot start."""

import re
from importlib.metadata import metadata

import pytest
import yaml

import ccnn_geo
from ccnn_geo.nn.ccnn import PRESETS
from ccnn_geo.training.run import check
from ccnn_geo.training.runs import find_config


def test_version(run_cli):
    assert run_cli("--version") == (0, f"ccnn-geo {ccnn_geo.__version__}\n", "")


TRAIN = ("train", "--config", "tiny.yaml")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("fly",), 2, "unknown command 'fly'"),
        (("train", "--config", "nowhere"), 1, "--config nowhere: no such file, and not one of"),
        ((*TRAIN, "--trainer.max_epochs", "many"), 2, "max_epochs"),
        ((*TRAIN, "--trainer.max_epoch", "3"), 2, "max_epoch"),
        ((*TRAIN, "--data.root", "nowhere"), 1, "nowhere: no such folder"),
        ((*TRAIN, "--data.dataset", "imagenet"), 1, "expected one of smnist"),
        ((*TRAIN, "--model.preset", "ccnn_9"), 1, "model.preset: expected one of"),
        ((*TRAIN, "--model.kernel", "cubic"), 1, "cubic"),
        ((*TRAIN, "--optim.lr", "-1"), 1, "optim: expected lr > 0"),
        ((*TRAIN, "--trainer.limit_val_batches", "0"), 1, "limit_val_batches: expected more than 0"),
        ((*TRAIN, "--trainer.devices", "0", "--trainer.accelerator", "cpu"), 1, "trainer: "),
        ((*TRAIN, "--model.num_neighbors", "0"), 1, "model.num_neighbors: expected 1 or more"),
        ((*TRAIN, "--model.kernel_hidden", "0"), 1, "kernel_hidden"),
        ((*TRAIN, "--data.normal_neighbors", "2"), 1, "data.normal_neighbors: expected 3 or more"),
        ((*TRAIN, "--data.augment.jitter", "-1"), 1, "got -1"),
        ((*TRAIN, "--data.augment.rotate_axis", "w"), 1, "'w'"),
        ((*TRAIN, "--data.dataset_args", '{"size": 3}'), 1, "data.dataset_args: expected some of cache"),
        ((*TRAIN, "--data.dataset_args", '{"seed": 3}'), 1, "data.dataset_args: expected some of cache"),
        ((*TRAIN, "--out", "shapes"), 1, "--out shapes: not an empty folder"),
        (("train",), 1, "expected a preset"),
        (("test", "nowhere.ckpt"), 1, "nowhere.ckpt: no such checkpoint"),
        (("test", "tiny.yaml"), 1, "tiny.yaml: not a checkpoint of ccnn-geo train"),
        (("test",), 2, "checkpoint"),
        (("predict", "nowhere.ckpt", "a.off"), 1, "nowhere.ckpt: no such checkpoint"),
        (("predict", "nowhere.ckpt"), 2, "PATH"),
        (("info", "nothing"), 1, "info: expected a checkpoint"),
    ],
)
def test_errors_are_one_line(project, run_cli, arguments, code, message):
    found, _, errors = run_cli(*arguments)
    assert found == code
    assert errors.startswith("ccnn-geo: ") and errors.count("\n") == 1
    assert message in errors
    assert not list(project.glob("runs/*/*"))


def test_a_data_set_without_a_sample_to_validate_is_no_start(project, run_cli):
    for file in (project / "shapes/train").rglob("*.npy"):
        if file.stem != "0":
            file.unlink()
    code, output, errors = run_cli("train", "--config", "tiny.yaml")
    assert (code, output, errors) == (
        1,
        "run: runs/tiny/001\n  runs/tiny/001 removed, no epoch was complete\n",
        "ccnn-geo: data: expected a validation set of one sample or more, folder has none\n",
    )
    assert not list(project.glob("runs/*"))


def test_a_missing_folder_says_which_option_names_another(project, run_cli):
    code, output, errors = run_cli("train", "--config", "shapes/ccnn_4_32", "--data.root", "nowhere")
    assert (code, output) == (1, "")
    assert errors == (
        "ccnn-geo: nowhere: no such folder, expected nowhere/<split>, split one of train, validation, test; "
        "set --data.root to the folder of the data, got 'nowhere'\n"
    )


def test_debug_shows_the_traceback(project, run_cli):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run_cli("--debug", "train", "--config", "nowhere")


def test_help(run_cli):
    code, output, _ = run_cli("--help")
    assert code == 0
    assert all(f"\n  {name} " in output for name in ("train", "test", "predict", "info"))
    assert run_cli()[0] == 2


def test_info(run_cli):
    code, output, _ = run_cli("info")
    assert code == 0 and "torch-geometric" in output and "torch-cluster" in output
    assert set(re.findall(r"ccnn_geo\[(\w+)\]", output)) <= set(
        metadata("ccnn_geo").get_all("Provides-Extra")
    )
    assert re.search(r"^compiled loops +(all \d+ in|none: |off: |\d+ of)", output, re.MULTILINE)
    assert {"plotly", "huggingface_hub", "onnxruntime"} <= {line.split()[0] for line in output.splitlines()}
    code, output, _ = run_cli("info", "ccnn_4_16")
    assert code == 0 and output.splitlines()[-1].split() == ["total", "6,545"]


def test_packaged_configurations_can_be_built(monkeypatch):
    for sizes in PRESETS.values():  # as they are published in test_presets.py
        monkeypatch.setitem(sizes, "hidden_channels", 8)
        monkeypatch.setitem(sizes, "num_blocks", 1)
    folder = find_config("demo").parent
    names = [p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml")]
    assert {"demo", "modelnet40/ccnn_4_140_bandlimited", "shapes/ccnn_4_32"} <= set(names)
    for name in names:
        check(yaml.safe_load(find_config(name).read_text()))
