"""Preparations, answers and trainings that are killed, lose a process or run out of disk, and what comes after.

Data sets are whole or prepared again; trainings go on, bit by bit as if nothing had been.
"""

import csv
import json
import os
import signal
from pathlib import Path

import pytest
from scripts import run_script
from small_model import FILES

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on Windows")
SETS = ("shapes", "images", "series", "expressions", "contours", "archive")
CHECKPOINTS = ["best.ckpt", "last.ckpt"]


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> dict:
    """One process for all, because importing torch takes longer than everything else."""
    return run_script(Path(__file__).with_name("kills.py"), str(tmp_path_factory.mktemp("kills")))


@pytest.fixture
def prepared(both) -> dict:
    return both["preparing"]


@pytest.fixture
def shared(both) -> dict:
    return both["sharing"]


@pytest.fixture
def happened(both) -> dict:
    return both["training"]


@pytest.mark.parametrize("name", SETS)
def test_killed_at_any_step_it_is_prepared_again(prepared, name):
    found = prepared[name]
    assert found["kills"] > found["renames"] > 0
    assert found["wrong"] == []  # never half-written data taken for whole


@pytest.mark.parametrize("name", SETS)
def test_of_two_processes_at_once_each_step_is_done_by_one(prepared, name):
    found = prepared[name]
    (first, renamed), (second, again) = found["at_once"]
    assert first == second == found["expected"]
    # no step is done twice; between two steps the other process may take over
    assert renamed + again == found["renames"]


@pytest.mark.parametrize("name", SETS)
def test_without_space_there_is_one_line_and_nothing_that_looks_whole(prepared, name):
    found = prepared[name]
    kind, message = found["full"]
    assert kind == "OSError" and "File too large" in message and "\n" not in message
    # what is unpacked or drawn file by file waits in a hidden folder, which the next start removes
    assert [
        path for path in found["left"] if not any(part.startswith(".") for part in Path(path).parts)
    ] == []
    if name not in ("shapes", "archive"):
        assert f"/{name}/processed/" in message
    assert found["afterwards"] == found["expected"]


def test_killed_in_the_middle_shapes_leave_nothing_half_written(prepared):
    found = prepared["in_the_middle"]
    assert found["writing"] == [-signal.SIGKILL, [".lock", ".parts", ".tmp"]]
    code, left = found["sampling"]
    assert code == -signal.SIGKILL and ".npz" not in left
    # neither stuck in a lock nor misled by what is left; the four that were sampled before the kill are kept
    assert found["then"] == [6, 32, 6 - 4]
    assert found["left"] == [".lock", ".npz"]


CLOUDS = [f"{i:02d}.npy" for i in range(14)]


@pytest.mark.parametrize(("name", "killed", "before", "then"), [("one", [-9], 4, 2), ("all", [-9, -9], 6, 3)])
def test_processes_share_files_and_go_on_after_a_kill(shared, name, killed, before, then):
    """As many as before, or others; no file is converted twice."""
    found = shared[name]
    assert found["killed"]["codes"] == killed and len(found["killed"]["notes"]) == before
    assert ".npz" not in found["killed"]["left"]
    after = found["then"]
    assert after["codes"] == [0] * then, after["errors"]
    first, *others = after["outputs"]
    assert "train: 14 samples, 2 classes" in first and first.count("ready for") == 1
    assert others == [""] * (then - 1), "one process says it for all"
    assert after["notes"] == CLOUDS and found["same"]
    assert after["left"] == [".lock", ".npz"]


def test_files_that_cannot_be_read_are_named_by_one_process(shared):
    found = shared["unreadable"]
    assert found["codes"] == [1, 1]
    assert sorted(
        ("01.npy" in errors, "another process found files that cannot be used" in errors)
        for errors in found["errors"]
    ) == [(False, True), (True, False)]
    assert found["left"] == [".lock"]


def test_two_processes_share_the_work_and_go_on_after_a_kill(shared):
    found = shared["answered"]
    code, lines, is_whole = found["killed"]
    assert code == -signal.SIGKILL and 8 <= lines < 12 and not is_whole
    assert found["codes"] == [0, 1]  # one of them met the bad file
    assert "of them earlier" in found["output"]
    answers = json.loads(found["json"])["answers"]
    assert [one["file"] for one in answers] == [*FILES, "clouds/99.npy"]
    assert "expected [N, 3]" in answers[-1]["error"]
    rows, alone = (list(csv.DictReader(found[key].splitlines())) for key in ("csv", "alone"))
    assert [row["file"] for row in rows] == FILES == [row["file"] for row in alone]
    for row, other in zip(rows, alone, strict=True):
        assert row["class"] == other["class"]
        assert float(row["probability"]) == pytest.approx(float(other["probability"]), abs=1e-6)
    assert found["left"] == ["predictions.csv", "predictions.json"]


def assert_goes_on(happened: dict, name: str, epochs: list[str]) -> dict:
    """The next start does the epochs that are missing; losses and weights are those of an unbroken run, bit by bit."""
    found, whole = happened[name], happened["whole"]
    assert whole["code"] == 0 and len(whole["outcome"]["rows"]) == 2
    assert found["then"] == {"code": 0, "errors": "", "epochs": epochs}
    for part, value in whole["outcome"].items():
        assert found["outcome"][part] == value, part
    return found


def test_killed_before_the_first_checkpoint_the_same_folder_starts_again(happened):
    found = assert_goes_on(happened, "first", ["1", "2"])
    assert (found["code"], found["resumed"]) == (-9, "--out")
    assert "last.ckpt" not in found["left"]


def test_killed_while_a_checkpoint_is_written_the_one_before_is_whole(happened):
    found = assert_goes_on(happened, "checkpoint", ["2"])
    assert (found["code"], found["resumed"]) == (-9, "--resume")
    half, *whole = found["left"]
    assert half.startswith(".last.ckpt.") and whole == [*CHECKPOINTS, "previous.ckpt"]
    assert half not in found["afterwards"]


def test_killed_within_an_epoch(happened):
    found = assert_goes_on(happened, "step", ["2"])
    assert (found["code"], found["left"]) == (-9, CHECKPOINTS)


def test_interrupted_it_says_how_to_go_on(happened):
    found = assert_goes_on(happened, "interrupted", ["2"])
    assert (found["code"], found["left"]) == (130, ["best.ckpt", "interrupted.ckpt", "last.ckpt"])
    assert found["errors"].splitlines()[-1].endswith("continue with: ccnn-geo train --resume run")
    assert "Traceback" not in found["errors"] and "Warning" not in found["errors"]


def test_without_space_for_a_checkpoint(happened):
    found = assert_goes_on(happened, "disk", ["2"])
    assert found["code"] == 1 and found["left"] == [*CHECKPOINTS, "previous.ckpt"]
    assert found["errors"].startswith("ccnn-geo: ") and found["errors"].count("\n") == 1
    for part in (
        "File too large",
        "run/checkpoints/last.ckpt",
        "; continue with: ccnn-geo train --resume run",
    ):
        assert part in found["errors"]


def test_a_loading_process_that_is_killed(happened):
    found = assert_goes_on(happened, "worker", ["2"])
    assert found["code"] == 1 and found["errors"].count("\n") == 1
    assert found["errors"].startswith(
        "ccnn-geo: a process that loads batches has ended (DataLoader worker (pid"
    )
    assert found["errors"].endswith("data.batch_size; continue with: ccnn-geo train --resume run\n")


def test_what_a_loading_process_raises_is_said_without_its_traceback(happened):
    assert happened["error"]["code"] == 1
    assert happened["error"]["errors"] == "ccnn-geo: no such shape: disc/3.npy\n"


def test_a_damaged_checkpoint_is_named_and_the_one_before_taken_when_asked(happened):
    found = assert_goes_on(happened, "damaged", ["2"])
    refused = found["refused"]
    assert refused["code"] == 1 and found["untouched"]
    assert refused["errors"].startswith("ccnn-geo: run/checkpoints/last.ckpt: not a checkpoint")
    assert "a damaged one (the checksum of" in refused["errors"]
    assert "; not damaged: run/checkpoints/previous.ckpt, run/checkpoints/best.ckpt" in refused["errors"]
    assert found["said"].startswith("run: run, from previous.ckpt\n")
    assert found["both"]["code"] == 1
    assert found["both"]["errors"].startswith("ccnn-geo: run/checkpoints/previous.ckpt: not a checkpoint")
