import shutil
from collections import namedtuple

import fake_data
import numpy as np
import pytest

from ccnn_geo.cli import data as data_command
from ccnn_geo.cli import main
from ccnn_geo.datasets.registry import PLACES


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return fake_data.register(monkeypatch, tmp_path)


@pytest.fixture
def run(capsys):
    def call(*arguments):
        code = main(["data", *arguments])
        return code, *capsys.readouterr()

    return call


def test_list(run):
    code, output, errors = run("list")
    lines = output.splitlines()
    assert (code, errors) == (0, "")
    assert lines[0].split() == list(data_command.HEAD)
    assert [line.split()[0] for line in lines[1:]] == list(PLACES)
    row = next(line for line in lines if line.startswith("tones "))
    assert row.split() == [
        "tones",
        "sequence",
        "2",
        "68",
        "[1]",
        "32",
        "1.5",
        "MB",
        "+",
        "2.0",
        "kB",
        "prepared",
    ]
    assert next(line for line in lines if line.startswith("own ")).split()[2:4] == ["yours", "yours"]


def test_info_names_files_and_where_to_place_them(run):
    code, output, errors = run("info", "tones")
    assert (code, errors) == (0, "")
    for text in ("ROOT/tones/tones.bin", fake_data.FILE.url, fake_data.FILE.checksum, "low and high tones"):
        assert text in output
    assert "40 samples" in output
    assert "1.5 MB + 2.0 kB prepared" in output and "made for this test" in output


def test_prepare_says_what_it_does(run):
    code, output, errors = run("prepare", "tones", "--root", ".")
    lines = output.splitlines()
    assert (code, errors) == (0, "")
    assert lines[0].startswith("tones: 0 B to download at most, 2.0 kB on disk, ")
    assert [line.split(",")[0] for line in lines[1:4]] == [
        "train: 40 samples",
        "validation: 12 samples",
        "test: 16 samples",
    ]
    assert lines[4] == "ready for ccnn-geo train --data.dataset tones --data.root ."
    code, output, _ = run("prepare", "tones", "--root", ".", "--split", "test")
    assert code == 0 and "test: 16" in output and "train: 40" not in output


def test_without_the_files_one_line_names_them(run, root):
    shutil.rmtree(root / "tones")
    for options, message in ((("--offline",), "place http"), ((), "could not fetch http")):
        code, output, errors = run("prepare", "tones", "--root", "new", *options)
        assert code == 1 and errors.count("\n") == 1
        assert message in errors and "new/tones/tones.bin" in errors
        size = "0 B to download at most, 2.0 kB" if options else "1.5 MB to download at most, 1.5 MB"
        assert output.startswith(f"tones: {size} on disk")


def test_a_full_disk_is_found_before_anything_is_fetched(run, root, monkeypatch):
    shutil.rmtree(root / "tones")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 0, 10**6))
    code, output, errors = run("prepare", "tones", "--root", "new")
    assert (code, output) == (1, "") and "but only 1.0 MB free" in errors
    assert not (root / "new").exists()


def test_own_files_have_the_splits_of_their_folders(run, root):
    (root / "train").mkdir()
    (root / "test").mkdir()
    code, output, _ = run("prepare", "own", "--root", ".")
    assert code == 0 and [line.split(":")[0] for line in output.splitlines()[1:3]] == ["train", "test"]


@pytest.mark.parametrize("name", ["validation", "val", "valid", "dev", "VAL", "development"])
def test_splits_by_the_names_that_folders_may_have(run, root, name):
    code, output, _ = run("prepare", "tones", "--root", ".", "--split", name, "validation", "Testing")
    prepared = [line.split(",")[0] for line in output.splitlines()[1:-1]]
    assert code == 0 and prepared == ["validation: 12 samples", "test: 16 samples"]
    (root / "train").mkdir()
    code, _, errors = run("prepare", "own", "--root", ".", "--split", name)
    assert code == 1 and f"own: expected some of the splits train, got {name}" in errors


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "required"),
        (("fly",), 2, "invalid choice"),
        (("info",), 2, "name"),
        (("info", "imagenet"), 1, "expected one of smnist"),
        (("prepare", "imagenet"), 1, "expected one of smnist"),
        (
            ("prepare", "tones", "--split", "all"),
            1,
            "expected some of the splits train, validation, test, got all",
        ),
    ],
)
def test_errors_are_one_line(run, arguments, code, message):
    found, _, errors = run(*arguments)
    assert found == code and message in errors
    assert errors.startswith("ccnn-geo: ") and errors.count("\n") == 1


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (11_594_722, "12 MB"), (2 * 10**9, "2.0 GB")],
)
def test_sizes(size, text):
    assert data_command.size_text(size) == text


def test_options_of_the_data_set(run):
    code, output, errors = run(
        "prepare", "listops", "--option", "generate={train: 30, validation: 4, test: 5}"
    )
    assert (code, errors) == (0, "") and "30 samples, 10 classes" in output and "0 B to download" in output
    for option, message in (
        ("generate", "--option: expected NAME=VALUE, got 'generate'"),
        ("seed=[", "--option seed: '['"),
        ("colour=red", "data.dataset_args: expected some of"),
        ("transform=x", "data.dataset_args: expected some of"),
    ):
        code, _, errors = run("prepare", "listops", "--option", option)
        assert code == 1 and message in errors and len(errors.splitlines()) == 1


def test_check_says_what_is_there_and_whether_it_would_train(run, tmp_path):
    for kind in ("calm", "storm"):
        (tmp_path / "own/train" / kind).mkdir(parents=True)
        for name in ("0.csv", "1.csv"):
            (tmp_path / "own/train" / kind / name).write_text("Zeit;Wert\n0;1,5\n")
    code, output, errors = run("check", "own", "--option", "time=Zeit")
    assert (code, errors) == (0, "")
    assert output.startswith("series in own, <split>/<class>\n") and "2 classes  4" in output
    assert output.endswith(
        "\nccnn-geo train --config series/ccnn_4_16 --data.root own --data.dataset_args.time Zeit\n"
    )
    code, output, errors = run("check", "own")
    assert code == 1 and "ccnn-geo train" not in output
    assert (
        "4 files cannot be used, such as train/calm/0.csv: the header 'Zeit;Wert' (the first line) has no column 'time'"
        in errors
    )
    assert "a training on own would fail: 1 problem\n" in errors
    assert run("check", "nowhere")[0] == 1 and run("check", "own", "--kind", "scenes")[0] == 1


def test_kinds_of_the_command_are_those_that_are_checked():
    from ccnn_geo.datasets.checks.kinds import KINDS

    assert tuple(KINDS) == data_command.OWN_KINDS


def test_a_class_is_one_row_whatever_its_name(run, tmp_path):
    for name in ("two\nlines", "one"):
        (tmp_path / "shapes/train" / name).mkdir(parents=True)
        for i in range(2):
            cloud = np.random.default_rng(i).normal(size=(9, 3))
            np.save(tmp_path / "shapes/train" / name / f"{i}.npy", cloud)
    code, output, _ = run("check", "shapes")
    assert code == 0 and r"two\nlines  2" in output.splitlines()
