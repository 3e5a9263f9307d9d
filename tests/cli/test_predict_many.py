"""Many files by several processes: shared, continued after a kill, put together once."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ccnn_geo import CCNN
from ccnn_geo.cli.inputs import expand
from ccnn_geo.export import save_classifier
from ccnn_geo.export.parts import Parts
from ccnn_geo.io.files.sample_files import FileKind
from ccnn_geo.transforms import ShapePipeline

PIPELINE = ShapePipeline(num_points=32, num_samples=64, features=("constant", "pos"))
OFF = FileKind("shapes", [".off"], deep=True)
FILES = [f"clouds/{i:02d}.npy" for i in range(24)]


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A network in ``model``, 24 clouds in ``clouds``."""
    import torch

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = CCNN(4, 2, 3, hidden_channels=4, num_blocks=0, num_neighbors=8)
    network(torch.randn(40, 4), torch.rand(40, 3), torch.arange(40) // 20)  # its scales are set now
    save_classifier("model", network.eval(), ["cup", "mug"], {}, pipeline=PIPELINE.settings())
    Path("clouds").mkdir()
    for name in FILES:
        np.save(name, np.random.default_rng(int(name[7:9])).normal(size=(60, 3)))
    return tmp_path


def start(rank, size, *arguments):
    command = [sys.executable, "-m", "ccnn_geo.cli", "predict", "model", *arguments]
    environment = {**os.environ, "RANK": str(rank), "WORLD_SIZE": str(size), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_processes_share_the_work_and_go_on_after_a_kill(model, run_cli):
    assert run_cli("predict", "model", "clouds", "--csv")[0] == 0
    expected = list(csv.DictReader(run_cli("predict", "model", "clouds", "--csv")[1].splitlines()))
    os.mkfifo("clouds/99.npy")  # the process that reads it waits until it is killed
    part = Path("out/part-0-of-2.jsonl")
    first = start(0, 2, "clouds", "clouds/99.npy", "--batch-size", "2", "--out", "out")
    for _ in range(600):
        if part.exists() and part.read_bytes().count(b"\n") >= 8:
            break
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    done = part.read_bytes()
    assert done.count(b"\n") >= 8 and not Path("out/predictions.csv").exists()
    part.write_bytes(done + b'{"model": "cut o')  # as a process that is killed while it writes leaves it

    os.remove("clouds/99.npy")
    np.save("clouds/99.npy", np.zeros((4, 2)))  # no cloud
    both = [start(rank, 2, "clouds", "clouds/99.npy", "--batch-size", "2", "--out", "out") for rank in (0, 1)]
    told = [process.communicate() for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]  # one of them met the bad file
    assert "of them before" in told[0][0]
    whole = json.loads(Path("out/predictions.json").read_text())
    assert [one["file"] for one in whole["answers"]] == [*FILES, "clouds/99.npy"]
    assert "expected [N, 3]" in whole["answers"][-1]["error"]
    rows = list(csv.DictReader(Path("out/predictions.csv").read_text().splitlines()))
    assert [row["file"] for row in rows] == FILES == [row["file"] for row in expected]
    for row, other in zip(rows, expected, strict=True):
        assert row["class"] == other["class"]
        assert float(row["probability"]) == pytest.approx(float(other["probability"]), abs=1e-6)
    assert sorted(path.name for path in Path("out").glob("[!.]*")) == ["predictions.csv", "predictions.json"]


def test_what_is_there_is_not_done_again(model, run_cli):
    assert run_cli("predict", "model", "clouds", "--out", "out")[0] == 0
    before = Path("out/predictions.json").stat().st_mtime_ns
    code, output, _ = run_cli("predict", "model", "clouds", "--out", "out")
    assert code == 0 and "24 of them before" in output
    assert Path("out/predictions.json").stat().st_mtime_ns == before
    code, _, errors = run_cli("predict", "model", FILES[0], "--out", "out")
    assert code == 1 and "holds predictions.json of other files; name another folder" in errors
    code, _, errors = run_cli("predict", "model", FILES[0], "--out", FILES[1])
    assert code == 1 and "expected a folder for the answers" in errors


def test_answers_of_another_model_are_not_mixed(tmp_path):
    Parts(tmp_path / "out", "one", ["a", "b"]).add([{"file": "a", "class": "cup"}])
    with pytest.raises(ValueError, match="holds answers of another model"):
        Parts(tmp_path / "out", "two", ["a", "b"])
    assert Parts(tmp_path / "out", "one", ["a", "b"]).rest == ["b"]


def test_an_error_is_tried_again_and_an_answer_counts_more(tmp_path):
    first = Parts(tmp_path, "m", ["a"])
    first.add([{"file": "a", "error": "cut off"}])
    again = Parts(tmp_path, "m", ["a"])
    assert again.rest == ["a"]
    again.add([{"file": "a", "class": "cup", "probability": 1.0, "probabilities": {"cup": 1.0}}])
    assert (
        again.finish()
        and "error" not in json.loads((tmp_path / "predictions.json").read_text())["answers"][0]
    )


def test_paths_stand_for_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/1.off", "a/deep/2.OFF", "a/.hidden.off", "a/3.txt", "b/4.off"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("a[1].off").touch()
    monkeypatch.setattr("sys.stdin", iter(["b\n", "\n", "a/3.txt\n"]))
    assert list(expand(["a"], OFF)) == ["a/1.off", "a/deep/2.OFF"]
    assert list(expand(["*/*.off", "**/2.*"], OFF)) == [
        "a/1.off",
        "b/4.off",
        "a/deep/2.OFF",
    ]
    assert list(expand(["a[1].off", "nowhere.off", "*.ply"], OFF)) == [
        "a[1].off",
        "nowhere.off",
        "*.ply",
    ]
    assert list(expand(["-"], OFF)) == ["b/4.off", "a/3.txt"]


@pytest.mark.parametrize("text", ["[]", "{}", "nothing", '{"model": "a", "answers": [1]}'])
def test_what_others_have_written_stays(tmp_path, text):
    (tmp_path / "predictions.json").write_text(text)
    with pytest.raises(ValueError, match=r"holds predictions.json that predict has not written"):
        Parts(tmp_path, "a", ["1"])
    assert (tmp_path / "predictions.json").read_text() == text
