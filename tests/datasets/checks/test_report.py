"""What a check says of a folder is what is in it, and what a training would stumble over."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from ccnn_geo.datasets.audio.speech_commands import SpeechCommandsRaw
from ccnn_geo.datasets.checks.advice import VOXELS
from ccnn_geo.datasets.checks.find_kind import find_kind
from ccnn_geo.datasets.checks.kinds import KINDS
from ccnn_geo.datasets.checks.report import check_folder
from ccnn_geo.datasets.checks.summary import number, summarise
from ccnn_geo.datasets.registry import PLACES
from ccnn_geo.io.files.grouped_errors import group_errors
from ccnn_geo.training.runs import packaged_configs
from tests.io.las_on_disk import las_bytes


def put(root, name, content):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def series(root, kinds=("calm", "storm"), count=10, text="time,wind\n0,1\n2.5,2\n"):
    for kind in kinds:
        for i in range(count):
            put(root, f"{kind}/{i}.csv", text)


def rows(report):
    return dict(report.properties)


def test_every_kind_has_a_data_set_and_a_configuration():
    for kind in KINDS.values():
        assert kind.dataset in PLACES and set(kind.configs.values()) <= set(packaged_configs())
    assert VOXELS in packaged_configs()


def test_shapes(tmp_path, write_box):
    for split, count in (("train", 3), ("test", 1)):
        for i in range(count):
            write_box(tmp_path / split / "box" / f"{i}.off")
            put(tmp_path, f"{split}/line/{i}.xyz", "0 0 0\n0 0 4\n1 0 0\n")
    put(tmp_path, "train/box/other.doc", "no shape")
    report = check_folder(tmp_path)
    assert report.title == f"shapes in {tmp_path}, <split>/<class>" and report.problems == []
    assert report.counts == [
        ("class", "train", "test"),
        ("box", "3", "1"),
        ("line", "3", "1"),
        ("2 classes", "6", "2"),
    ]
    assert rows(report)["format"] == ".off (4 files), .xyz (4 files)"
    assert rows(report)["points"] == "3 to 8, median 5.5"
    assert rows(report)["surface"] == "mesh (4 files), cloud without normals (4 files)"
    assert any("left out: 1 .doc file" in note for note in report.notes)
    assert "no split validation: a tenth of train validates" in report.notes
    assert report.command == f"ccnn-geo train --config shapes/ccnn_4_32 --data.root {tmp_path}"
    assert not (tmp_path / "processed").exists()


@pytest.mark.parametrize(("grids", "meshes"), [(3, 0), (2, 1), (1, 3)])
def test_voxel_grids_have_a_configuration_of_their_own(tmp_path, write_box, grids, meshes):
    for i in range(grids):
        grid = np.zeros((6, 7, 8), dtype=bool)
        grid[1:4, 2:6, 1 : 4 + i] = True
        for kind in ("box", "bar"):
            (tmp_path / "train" / kind).mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / f"train/{kind}/{i}.npy", grid)
            np.savez(tmp_path / f"train/{kind}/{i}.npz", voxels=grid, spacing=0.1)
    for i in range(2 * meshes):
        write_box(tmp_path / f"train/box/{i}.off")
        write_box(tmp_path / f"train/bar/{i}.off")
    report = check_folder(tmp_path)
    assert report.problems == [] and "cells of a voxel grid" in rows(report)["surface"]
    config = "voxels/ccnn_4_32" if grids >= meshes else "shapes/ccnn_4_32"
    assert report.command == f"ccnn-geo train --config {config} --data.root {tmp_path}"
    told = [
        note for note in report.notes if "4 of 16 files of train are voxel grids; --config voxels/" in note
    ]
    assert len(told) == (grids < meshes)


def test_damaged_files_are_grouped(tmp_path, write_box):
    for i in range(6):
        write_box(tmp_path / f"train/box/{i}.off")
        put(tmp_path, f"train/ball/{i}.npy", b"\x93NUMPY")
    for i in range(5):
        put(tmp_path, f"train/box/{i}.off", "OFF\n8 12 0\n0 0 0\n")
    put(tmp_path, "train/ball/a.xyz", "1 2 3 4\n")
    problems = check_folder(tmp_path).problems
    assert problems[0].startswith("6 files cannot be used, such as train/ball/0.npy: ")
    assert problems[1].startswith("train/ball/a.xyz: 4 columns")
    assert problems[2].startswith("5 files are cut off or damaged, such as train/box/0.off: ")
    assert len(problems) == 3


def test_images_and_recordings(tmp_path):
    for kind, shade in (("dark", 10), ("light", 200)):
        for i in range(4):
            (tmp_path / "images/train" / kind).mkdir(parents=True, exist_ok=True)
            (tmp_path / "sounds" / kind).mkdir(parents=True, exist_ok=True)
            Image.new("L", (6, 4 + i % 2), shade).save(tmp_path / f"images/train/{kind}/{i}.png")
            wavfile.write(tmp_path / f"sounds/{kind}/{i}.wav", 8000, np.ones(100 * (i + 1), dtype=np.int16))
    images = check_folder(tmp_path / "images")
    assert rows(images)["pixels, height x width"] == "4 x 6 (4 files), 5 x 6 (4 files)"
    assert images.command.startswith("ccnn-geo train --config images/ccnn_4_32")
    sounds = check_folder(tmp_path / "sounds")
    assert rows(sounds)["seconds"] == "0.0125 to 0.05, median 0.03125"
    assert sounds.command.endswith("--data.dataset_args.rate 8000 --data.dataset_args.length 1000")
    assert "split by their names" in sounds.notes[0]
    with pytest.raises(ValueError, match="8 images, 8 recordings; --kind says which"):
        check_folder(tmp_path)


def test_series(tmp_path):
    series(tmp_path)
    report = check_folder(tmp_path)
    assert report.problems == [] and rows(report)["variables"] == "wind"
    assert rows(report)["length, in the unit of time"] == "2.5"
    for path in tmp_path.glob("*/*.csv"):
        path.write_text("Zeit;Wert\n0;1,5\n")
    (problem,) = check_folder(tmp_path).problems
    assert problem.startswith("20 files cannot be used, such as calm/") and "has no column 'time'" in problem
    report = check_folder(tmp_path, options={"time": "Zeit"})
    assert report.problems == [] and report.command.endswith("--data.dataset_args.time Zeit")


def test_series_that_do_not_fit(tmp_path):
    series(tmp_path / "train")
    series(tmp_path / "test", text="time,rain\n2024-01-01,1\n")
    problems = check_folder(tmp_path).problems
    assert any("are not numbers, unlike those of train/calm/0.csv" in problem for problem in problems)
    assert any("variables 'rain' are in no file of train" in problem for problem in problems)


def test_scenes(tmp_path):
    ones = np.ones(6)
    grid = np.arange(18).reshape(6, 3)
    scan = las_bytes(grid, ones, ones, ones, [2, 2, 2, 6, 6, 9])
    put(tmp_path, "train/a.las", scan)
    report = check_folder(tmp_path)
    assert report.problems == [] and report.title.endswith(", <split>/**")
    assert rows(report)["labels, in points"] == "2 (3), 6 (2), 9 (1)"
    assert report.command.endswith("--data.dataset_args.classes '[2,6,9]'")
    put(tmp_path, "train/a.las", las_bytes(grid, ones, ones, ones, 2 * ones))
    (problem,) = check_folder(tmp_path).problems
    assert problem.startswith("labels of points: 2, expected two or more")


def test_scans_in_arrays_of_named_columns(tmp_path):
    points = np.zeros(6, dtype=[*((name, "f4") for name in "xyz"), ("label", "i4")])
    points["x"], points["label"] = np.arange(6), [0, 0, 1, 1, 1, 2]
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        np.save(tmp_path / split / "a.npy", points)
    report = check_folder(tmp_path)
    assert report.title == f"scenes in {tmp_path}, <split>/**" and report.problems == []
    assert rows(report)["labels, in points"] == "0 (4), 1 (6), 2 (2)"
    for split in ("train", "test"):
        np.save(tmp_path / split / "a.npy", np.eye(6))
    (problem,) = check_folder(tmp_path).problems
    assert problem.endswith("scans, whose points have a class each, are checked by --kind scenes")


def test_lists_of_speech_commands_are_not_ignored_in_silence(tmp_path):
    for word in ("four", "tree"):
        (tmp_path / word).mkdir()
        for i in range(4):
            wavfile.write(tmp_path / word / f"{i}.wav", 16000, np.ones(16000, dtype=np.int16))
    put(tmp_path, "testing_list.txt", "four/0.wav\ntree/0.wav\n")
    assert not any("speech_raw" in note for note in check_folder(tmp_path).notes)
    put(tmp_path, "validation_list.txt", "four/1.wav\ntree/1.wav\n")
    (note,) = (note for note in check_folder(tmp_path).notes if "testing_list.txt" in note)
    given = "--data.dataset speech_raw --data.dataset_args.splitting official --data.dataset_args.words '[four,tree]'"
    assert note.endswith(given)
    test = SpeechCommandsRaw(
        tmp_path, "test", words=["four", "tree"], splitting="official", download=False, num_workers=0
    )
    assert len(test) == 2


def test_folders_that_hold_too_little(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        check_folder(tmp_path / "nowhere")
    put(tmp_path, "train/a.doc", "")
    with pytest.raises(ValueError, match=r"no files of a known kind, found 1 of .doc; expected shapes: .off"):
        check_folder(tmp_path)
    series(tmp_path / "one", kinds=("calm",))
    assert check_folder(tmp_path / "one").problems == ["one class, 'calm', expected two or more"]
    assert check_folder(tmp_path / "one").counts[-1][0] == "1 class"
    put(tmp_path, "flat/a.png", "")
    (problem,) = check_folder(tmp_path / "flat").problems
    assert "flat/<split>/<class>/, or " in problem and "flat/<class>/ to be split" in problem
    series(tmp_path / "two/test")
    assert check_folder(tmp_path / "two").problems[0].startswith("no split train, found test")
    series(tmp_path / "three/data/train")
    series(tmp_path / "three/data/test")
    assert check_folder(tmp_path / "three").problems[0].endswith(f"Is {tmp_path}/three/data the root?")


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"a.csv": "time,x\n0,1\n"}, "series"),
        ({"a.csv": "x,y,z\n0,1,2\n"}, "shapes"),
        ({"a.csv": "0.1,1,2\n0,1,2\n"}, "shapes"),
        ({"a.txt": "0 1 2\n"}, "shapes"),
        ({"a.txt": "notes", "b.wav": ""}, "recordings"),
        ({"a.obj": "", "a.png": "", "b.png": ""}, "shapes"),
        ({"a.bin": ""}, "scenes"),
        ({"labels.csv": "file,label\na.png,b\n", "a.png": ""}, "images"),
        ({"processed/x.npz": "", ".a.npy": "", "a.wav": ""}, "recordings"),
    ],
)
def test_kinds(tmp_path, files, kind):
    for name, text in files.items():
        put(tmp_path, name, text)
    assert find_kind(tmp_path) == kind


def test_summaries():
    seen = [{"a": 1.5, "b": "x", "c": ["u", "v"]}, {"a": 2e4, "b": "x", "c": ["u"], "d": {3: 4, 1: 1}}]
    assert summarise(seen) == [
        ("a", "1.5 to 20,000, median 10,000.8"),
        ("b", "x (2 files)"),
        ("c", "u, v (1 file)"),
        ("d", "1 (1), 3 (4)"),
    ]
    assert [number(v) for v in (3, 1234.5678, 0.123456, 1e12)] == ["3", "1,234.6", "0.1235", "1e+12"]


def test_groups():
    cut = [f"{i}.off: truncated, {i} bytes, expected 100" for i in range(5)]
    others = [f"{i}.xyz: {i} columns, expected 3" for i in range(9)]
    single = ["a/b.off: the file is empty", "c.off: OFF", "d.off: 3 OFF"]
    assert group_errors([*cut, *others, *single]) == [
        f"5 files are cut off or damaged, such as {cut[0]}",
        f"9 files cannot be used, such as {others[0]}",
        *single,
    ]
    words = [f"{i}.csv, line 2: a is 'truncated', expected a number or an empty cell" for i in range(5)]
    empty = [f"{i}.csv: empty, expected a header" for i in range(5)]
    assert group_errors(words + empty) == [
        f"5 files cannot be used, such as {words[0]}",
        f"5 files are empty, such as {empty[0]}",
    ]
    many = [f"{i}.off: {'x' * i}" for i in range(30)]
    assert group_errors(many)[-2:] == ["19.off: " + "x" * 19, "and 10 more"]
