"""Files that are empty, cut, unreadable, folders, or not what their name says: every reader, and the commands."""

import errno
import re
from pathlib import Path

import numpy as np
import pytest

from ccnn_geo import CCNN, predict
from ccnn_geo.cli import main
from ccnn_geo.datasets.images.cifar import read_batch
from ccnn_geo.datasets.images.mnist import read_idx
from ccnn_geo.datasets.images.pathfinder_files import read_archive, read_metadata
from ccnn_geo.datasets.images.stl10 import read_images
from ccnn_geo.datasets.series.physionet_records import read_record
from ccnn_geo.datasets.shapes.shape_folder import ShapeFolder
from ccnn_geo.datasets.text.listops import read_tsv
from ccnn_geo.datasets.text.tokens import load_tokens
from ccnn_geo.experiments.fuzz.fuzz_readers import FORMATS
from ccnn_geo.export.predictor import Predictor
from ccnn_geo.io import EXTENSIONS, ShapeError, read_shape
from ccnn_geo.io.csv_table import read_table
from ccnn_geo.io.files.archive import extract
from ccnn_geo.io.files.mapped import MappedArray
from ccnn_geo.io.image import read_image
from ccnn_geo.io.las import read_las
from ccnn_geo.io.models.checkpoint import load_checkpoint
from ccnn_geo.io.scans.frames import read_frame
from ccnn_geo.io.wav import read_wav

SHAPES = [name for name, kind in FORMATS.items() if kind.read is read_shape]
SUFFIXES = sorted({FORMATS[name].suffix for name in SHAPES})
OTHERS = {
    "a.wav": read_wav,
    "a.png": read_image,
    "a.csv": read_table,
    "a.bin": read_frame,
    "c.ply": read_frame,
    "a.gz": lambda path: read_idx(path, (28, 28), None),
    "a.idx": lambda path: read_idx(path, (), None),
    "batch.bin": lambda path: read_batch(path, 1, 10, None),
    "X.bin": lambda path: read_images(path, path, None),
    "a.tar.gz": lambda path: extract(path, path.with_name("out")),
    "a.npz": load_tokens,
    "b.npz": lambda path: read_archive(path, 8),
    "a.npy": MappedArray,
    "b.npy": read_metadata,
    "a.txt": lambda path: read_record(path, 0),
    "a.tsv": read_tsv,
    "a.ckpt": load_checkpoint,
    "model": CCNN.from_pretrained,
}
if "las" in FORMATS:  # laspy is there
    OTHERS |= {"a.las": read_las, "b.las": read_frame}


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refused(path: Path, message: str) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        read_shape(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("suffix", [*EXTENSIONS, ".OFF"])
def test_files_that_are_none(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    refused(path, "no such file")
    path.touch()
    refused(path, "the file is empty, expected one shape")
    path.unlink()
    path.mkdir()
    refused(path, "not a file but a directory or device, expected one shape")


@pytest.mark.parametrize("suffix", [".gltf", ".dae", ".doc", ".off.gz", "", ".xyz "])
def test_extensions_that_are_unknown(tmp_path, suffix):
    path = put(tmp_path / f"a{suffix}", b"OFF\n1 0 0\n0 0 0\n")
    refused(path, rf"unknown extension {re.escape(repr(path.suffix))}, expected one of \.off, \.obj, \.ply")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_wrong_extension(tmp_path, suffix):
    """What another kind of file holds is never taken for a shape."""
    for name in FORMATS:
        if FORMATS[name].suffix == suffix:
            continue
        for content in FORMATS[name].files():
            path = put(tmp_path / f"a{suffix}", content)
            try:
                shape = read_shape(path)
            except ShapeError as error:
                assert str(error).startswith(f"{path}: ")
            else:  # rows of numbers are a table, whatever was meant
                raise AssertionError(f"{name} read as {suffix}: {shape}")


@pytest.mark.parametrize("name", SHAPES)
def test_capitals_in_an_extension(tmp_path, name):
    content, suffix = FORMATS[name].files()[0], FORMATS[name].suffix
    capital, small = (read_shape(put(tmp_path / f"a{s}", content)) for s in (suffix.upper(), suffix))
    assert np.array_equal(capital.vertices, small.vertices)


@pytest.mark.parametrize("name", SHAPES)
def test_files_that_the_system_refuses(tmp_path, monkeypatch, name):
    """As a file without permission, or on a failing disk; root may read all, so that the error is made."""
    path = put(tmp_path / f"a{FORMATS[name].suffix}", FORMATS[name].files()[0])
    for code, words in ((errno.EACCES, "Permission denied"), (errno.EIO, "Input/output error")):

        def fail(*_, code=code, words=words, **__):
            raise OSError(code, words)

        for method in ("open", "read_bytes", "read_text"):
            monkeypatch.setattr(Path, method, fail)
        refused(path, rf"cannot be read \({words}\), expected a readable file")


@pytest.mark.parametrize("name", SHAPES)
def test_a_file_in_a_folder_of_that_name(tmp_path, name):
    refused(put(tmp_path / "file", b"x") / f"a{FORMATS[name].suffix}", "no such file")


@pytest.mark.parametrize("name", OTHERS)
def test_other_readers(tmp_path, name):
    path, read = tmp_path / name, OTHERS[name]
    with pytest.raises((FileNotFoundError, ValueError), match=re.escape(str(path))):
        read(path)
    path.mkdir()
    with pytest.raises((IsADirectoryError, FileNotFoundError, ValueError), match=re.escape(str(path))):
        read(path)
    path.rmdir()
    for content in (b"", b"\0", b"hello, world\n" * 9, bytes(16 * 5 - 1)):
        with pytest.raises(ValueError, match=re.escape(str(path))):
            read(put(path, content))


def held(found) -> np.ndarray:
    """The numbers among what a reader returns."""
    return getattr(found, "xyz", found[0] if isinstance(found, tuple) else found)


@pytest.mark.parametrize("name", ["wav", "png", "jpeg", *sorted({"las", "laz"} & set(FORMATS))])
def test_no_part_of_a_signal_or_scan_passes_as_a_smaller_one(tmp_path, name):
    kind = FORMATS[name]
    for content in kind.files():
        path = put(tmp_path / f"a{kind.suffix}", content)
        whole = held(kind.read(path))
        for size in range(0, len(content), max(1, len(content) // 60)):
            try:
                part = held(kind.read(put(path, content[:size])))
            except ValueError as error:
                assert str(path) in str(error)
            else:  # a checksum is missing at the end
                assert np.array_equal(part, whole)


# Through a network and the commands ---------------------------------------------------------------


BAD = {
    "empty.off": b"",
    "cut.ply": FORMATS["ply binary"].files()[0][:-9],
    "cut.glb": FORMATS["glb"].files()[0][:-9],
    "cut.npz": FORMATS["npz"].files()[0][:-9],
    "nan.xyz": b"0 0 0\n1 nan 0\n",
    "flat.obj": b"v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n",
    "range.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n",
    "plain.stl": b"hello",
    "what.docx": b"hello",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in BAD.items():
        put(tmp_path / name, content)
    (tmp_path / "folder.off").mkdir()
    put(tmp_path / "good.off", FORMATS["off"].files()[0])
    return tmp_path


@pytest.mark.parametrize("name", [*BAD, "folder.off", "missing.off"])
def test_predict_names_the_file(classifier, folder, name):
    with pytest.raises(ValueError, match=rf"^{re.escape(name)}: "):
        predict(classifier, name)


def test_the_command_says_a_line_for_each_bad_file_and_classifies_the_others(
    classifier, folder, monkeypatch, capsys
):
    monkeypatch.setattr(Predictor, "load", lambda *_: classifier)
    bad = [*BAD, "folder.off", "missing.off"]
    assert main(["predict", "a.ckpt", *bad, "good.off"]) == 1
    output, errors = capsys.readouterr()
    assert [line.split()[0] for line in output.splitlines()] == ["file", "good.off"]
    lines = errors.splitlines()
    assert [line.split(": ")[1] for line in lines[:-1]] == bad
    assert lines[-1].startswith(f"ccnn-geo: no prediction for {len(bad)} of {len(bad) + 1} files: ")
    assert "Traceback" not in errors


def test_a_data_set_names_all_its_bad_files(folder):
    for name in ("train/cup", "train/table"):
        (folder / name).mkdir(parents=True)
        put(folder / name / "good.off", FORMATS["off"].files()[0])
    for name in ("cut.ply", "nan.xyz", "range.obj"):
        put(folder / "train/cup" / name, BAD[name])
    with pytest.raises(ShapeError, match="3 of 5 files") as caught:
        ShapeFolder(folder, "train")
    assert all(name in str(caught.value) for name in ("cut.ply", "nan.xyz", "range.obj"))
