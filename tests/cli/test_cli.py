import json
import logging
import os
import re
import shutil
import signal
import sys
from importlib.metadata import metadata

import pytest
import torch
import yaml

import ccnn_geo
from ccnn_geo.training.module import Classifier


def test_train_then_test(project, run_cli):
    code, output, errors = run_cli(
        "train", "--config", "tiny.yaml", "--trainer.max_epochs", "2", "--seed", "5"
    )
    assert (code, errors) == (0, "")
    lines = output.splitlines()
    run = project / "runs" / "tiny" / "001"
    assert lines[0] == "run: runs/tiny/001"
    assert lines[1].startswith("warm-up: 0 of 4 steps (0 of 2 epochs") and lines[1].endswith(
        "learning rate 0.02"
    )
    assert lines[2].startswith("epoch 1/2  loss ") and "validation" in lines[2]
    assert lines[4].startswith("validation (best checkpoint): accuracy ")
    for name in ("config.yaml", "metrics.csv", "curves.png", "confusion.png", "results.json"):
        assert (run / name).stat().st_size > 0
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")

    for carrier in ("points", "voxels"):
        checkpoint = "runs/tiny/001" + ("/checkpoints/best.ckpt" if carrier == "points" else "")
        code, output, errors = run_cli(
            "test", checkpoint, "--data.carrier", carrier, "--data.voxel_size", "9"
        )
        assert (code, errors) == (0, "")
        assert output.startswith(f"test ({carrier}): accuracy ") and len(output.splitlines()) == 1
        assert (run / f"confusion_test_{carrier}.png").exists()
    results = json.loads((run / "results.json").read_text())
    assert set(results) == {"validation", "test_points", "test_voxels"}
    assert 0 <= results["test_points"]["mean_class_accuracy"] <= 1


def test_a_run_repeats_bit_by_bit(project, run_cli):
    for out in ("a", "b"):
        assert run_cli("train", "--config", "tiny.yaml", "--trainer.max_epochs", "2", "--out", out)[0] == 0
        torch.rand(11)
    a, b = (torch.load(f"{out}/checkpoints/last.ckpt", weights_only=True) for out in ("a", "b"))
    for name, value in a["state_dict"].items():
        assert torch.equal(value, b["state_dict"][name]), name


def test_training_never_reads_the_test_set(project, run_cli):
    for path in (project / "shapes" / "test").rglob("*.npy"):
        path.write_bytes(b"unreadable")
    arguments = ("train", "--config", "tiny.yaml", "--trainer.max_epochs", "1", "--out", "out")
    assert run_cli(*arguments)[0] == 0
    code, _, errors = run_cli("test", "out/checkpoints/best.ckpt")
    assert code == 1 and "8 of 8 files could not be read" in errors and errors.count("\n") == 1


def test_training_and_testing_without_matplotlib_draw_nothing_and_say_so(project, run_cli, monkeypatch):
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    line = "  no pictures drawn: needs matplotlib: pip install 'ccnn_geo[viz]'"
    arguments = ("train", "--config", "tiny.yaml", "--trainer.max_epochs", "1", "--out", "out")
    code, output, errors = run_cli(*arguments)
    assert (code, errors) == (0, "") and output.splitlines().count(line) == 1
    assert {"best.ckpt", "last.ckpt"} <= {path.name for path in (project / "out" / "checkpoints").iterdir()}
    code, output, errors = run_cli("test", "out")
    first, scores = output.splitlines()
    assert (code, errors, first) == (0, "", line)
    assert scores.startswith("test (points): accuracy ") and scores.endswith("%")
    assert "test_points" in json.loads((project / "out" / "results.json").read_text())
    assert not list((project / "out").glob("*.png"))


def test_tensorboard_that_is_missing_is_named(project, run_cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    code, output, errors = run_cli("train", "--config", "tiny.yaml", "--tensorboard")
    expected = "ccnn-geo: --tensorboard: needs tensorboard: pip install 'ccnn_geo[viz]'\n"
    assert (code, output, errors) == (1, "", expected)


def test_tensorboard(project, run_cli):
    pytest.importorskip("tensorboard", reason="needs the viz extra")
    arguments = (
        "train",
        "--config",
        "tiny.yaml",
        "--trainer.max_epochs",
        "1",
        "--out",
        "out",
        "--tensorboard",
    )
    assert run_cli(*arguments)[0] == 0
    assert list((project / "out" / "tensorboard").glob("events*"))


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
        (("predict", "nowhere.ckpt"), 2, "FILE"),
        (("info", "nothing"), 1, "info: expected a checkpoint"),
    ],
)
def test_errors_are_one_line(project, run_cli, arguments, code, message):
    found, _, errors = run_cli(*arguments)
    assert found == code
    assert errors.startswith("ccnn-geo: ") and errors.count("\n") == 1
    assert message in errors
    assert not list(project.glob("runs/*/*")) or "--data.root" in arguments


def test_a_failed_start_does_not_block_the_next(project, run_cli):
    arguments = (*TRAIN, "--trainer.max_epochs", "1", "--out", "out")
    assert run_cli(*arguments, "--data.root", "nowhere")[0] == 1
    assert not (project / "out").exists()
    (project / "out" / "checkpoints").mkdir(parents=True)  # as of one that was killed
    (project / "out" / "config.yaml").touch()
    assert run_cli(*arguments)[0] == 0
    assert (project / "out" / "config.yaml").stat().st_size > 0
    code, _, errors = run_cli(*arguments)
    assert code == 1 and "--out out: not an empty folder" in errors


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


def test_files_that_exist_are_listed(project, run_cli):
    code, output, errors = run_cli(*TRAIN, "--out", "out", "--trainer.max_epochs", "1")
    assert (code, errors) == (0, "")
    listed = [line.strip() for line in output.splitlines() if line.startswith("  ")]
    assert "out/checkpoints/best.ckpt" in listed and "out/results.json" in listed
    assert all((project / path).exists() for path in listed)


@pytest.mark.parametrize("out", [(), ("--out", "out")])
def test_a_trial_leaves_no_run(project, run_cli, out):
    code, output, errors = run_cli(*TRAIN, *out, "--trainer.fast_dev_run", "true")
    assert (code, errors) == (0, "")
    lines = output.splitlines()
    assert lines[0] == "run: none, fast_dev_run leaves no folder"
    assert lines[-1].startswith("validation (fast_dev_run, no checkpoint): accuracy ")
    assert not (project / "runs").exists() and not (project / "out").exists()


def test_runs_without_a_name_are_called_after_the_configuration(project, run_cli):
    unnamed = (project / "tiny.yaml").read_text().replace("name: tiny\n", "")
    (project / "own.yaml").write_text(unnamed)
    code, output, _ = run_cli("train", "--config", "own.yaml", "--trainer.max_epochs", "1")
    assert code == 0 and output.startswith("run: runs/own/001\n")
    assert yaml.safe_load((project / "runs/own/001/config.yaml").read_text())["name"] == "own"
    code, output, _ = run_cli("train", "--resume", "--trainer.max_epochs", "2")  # the only name
    assert code == 0 and output.startswith("run: runs/own/001\n") and "epoch 2/2" in output


def test_a_missing_folder_says_which_option_names_another(project, run_cli):
    code, output, errors = run_cli("train", "--config", "shapes/ccnn_4_32", "--data.root", "nowhere")
    assert code == 1 and output.endswith("  runs/shapes_4_32/001 removed, no epoch was complete\n")
    assert errors == (
        "ccnn-geo: nowhere: no such folder, expected nowhere/<split>, split one of train, validation, test; "
        "--data.root FOLDER says where the data are, got 'nowhere'\n"
    )


def test_a_missing_test_set_says_what_is_expected_and_what_there_is(project, run_cli):
    shutil.rmtree(project / "shapes" / "test")
    assert run_cli(*TRAIN, "--trainer.max_epochs", "1", "--out", "out")[0] == 0
    assert run_cli("test", "out") == (
        1,
        "",
        "ccnn-geo: shapes: no split 'test', found train; expected the folder shapes/test; --data.root FOLDER says "
        "where the data are, got 'shapes'; the accuracy on the validation set is in out/results.json\n",
    )


def test_sigterm_ends_with_one_line(project, run_cli, monkeypatch):
    def terminated(self, *_):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Classifier, "on_train_batch_end", terminated)
    assert run_cli(*TRAIN, "--trainer.max_epochs", "1", "--out", "out") == (
        143,
        "run: out\nwarm-up: 0 of 2 steps (0 of 1 epochs; optim.warmup_epochs asks for 1, optim.warmup_share of the run "
        "is the most); learning rate 0.02\n  out removed, no epoch was complete\n",
        "ccnn-geo: terminated by SIGTERM; no epoch was complete\n",
    )
    lightning = logging.getLogger("pytorch_lightning.trainer.connectors.signal_connector")
    assert not lightning.isEnabledFor(logging.INFO)  # its "[rank: 0] Received SIGTERM: 15"


@pytest.fixture
def interrupt(monkeypatch):
    """Ctrl-C at the next call of a method of the classifier."""
    handler = signal.getsignal(signal.SIGINT)

    def stop(self, *_):
        raise KeyboardInterrupt

    yield lambda method: monkeypatch.setattr(Classifier, method, stop)
    signal.signal(signal.SIGINT, handler)  # Lightning ignores it from then on


def test_interrupted_evaluations(project, run_cli, interrupt):
    assert run_cli(*TRAIN, "--trainer.max_epochs", "1", "--out", "out")[0] == 0
    interrupt("test_step")
    assert run_cli("test", "out") == (130, "", "ccnn-geo: interrupted\n")
    interrupt("validation_step")
    code, _, errors = run_cli("train", "--resume", "out")  # nothing is left but to validate the best one
    assert code == 130 and errors.endswith("continue with: ccnn-geo train --resume out\n")


def test_test_needs_batches(project, run_cli):
    assert run_cli(*TRAIN, "--trainer.max_epochs", "1", "--out", "out")[0] == 0
    code, _, errors = run_cli("test", "out", "--trainer.limit_test_batches", "0")
    assert code == 1 and "trainer.limit_test_batches: expected more than 0" in errors


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


def test_packaged_configurations_can_be_built():
    from ccnn_geo.training.run import check
    from ccnn_geo.training.runs import find_config

    folder = find_config("demo").parent
    names = [p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml")]
    assert {"demo", "modelnet40/ccnn_4_140_bandlimited", "shapes/ccnn_4_32"} <= set(names)
    for name in names:
        check(yaml.safe_load(find_config(name).read_text()))


def test_clean_output_in_a_process_of_its_own(project, cli):
    result = cli("train", "--config", "tiny.yaml", "--trainer.max_epochs", "1", "--out", "out")
    assert result.returncode == 0
    assert result.stderr == ""
