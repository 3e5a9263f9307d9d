"""Which files of folders are samples, one rule for all, and what is said of the others."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from ccnn_geo.datasets.audio.speech_files import list_recordings
from ccnn_geo.datasets.audio.wav_folder import WavFolder
from ccnn_geo.datasets.images.image_folder import ImageFolder
from ccnn_geo.datasets.scenes.lidar import LidarFrames
from ccnn_geo.datasets.series.csv_series import CSVSeries
from ccnn_geo.datasets.shapes.modelnet import ModelNet10
from ccnn_geo.datasets.shapes.shape_folder import ShapeFolder
from ccnn_geo.io.files import notices
from ccnn_geo.io.files.sample_files import FileKind, class_samples, is_hidden, list_samples, tell_left_out

pil = pytest.importorskip("PIL.Image")
SYSTEM = ["._0{}", "~$0{}", ".DS_Store", "Thumbs.db", "desktop.ini", "0{}:Zone.Identifier", "README.md"]
FOLDERS = ["old{}", "__MACOSX", "@eaDir", ".ipynb_checkpoints"]


def box(path):
    corners = "\n".join(f"{i & 1} {i >> 1 & 1} {i >> 2}" for i in range(8))
    path.write_text(f"OFF\n8 2 0\n{corners}\n4 0 1 3 2\n4 4 5 7 6\n")


def image(path):
    pil.new("RGB", (4, 4)).save(path, path.suffix[1:].upper())


def wave(path):
    wavfile.write(path, 8000, np.arange(8, dtype=np.int16))


def series(path):
    path.write_text("time,v\n0,1\n1,2\n")


def scan(path):
    (np.arange(8, dtype="<f4") / 8).tofile(path)


KINDS = {
    "shapes": (
        ".OFF",
        box,
        lambda root: ShapeFolder(root, "train", num_samples=8, num_points=8).names,
        ".txt",
    ),
    "images": (".PNG", image, lambda root: ImageFolder(root).names, ".heic"),
    "recordings": (".WAV", wave, lambda root: WavFolder(root).names, ".mid"),
    "series": (".CSV", series, lambda root: CSVSeries(root).names, ".tsv"),
    "scans": (".BIN", scan, lambda root: [d.name for d in LidarFrames(root)], ".e57"),
}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    """A data set of two classes, a sample each, in upper case."""
    extension, write, names, other = KINDS[request.param]
    for name in "ab":
        (tmp_path / "train" / name).mkdir(parents=True)
        write(tmp_path / "train" / name / f"0{extension}")
    return request.param, tmp_path, extension, names, other


def test_what_systems_write_is_no_sample_and_not_told(kind):
    _, root, extension, names, _ = kind
    for place in (root, root / "train", root / "train" / "a"):
        for name in SYSTEM:
            (place / name.format(extension)).write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
        for name in FOLDERS:
            (place / name.format(extension)).mkdir(exist_ok=True)
    for hidden in ("__MACOSX", "@eaDir"):
        (root / "train" / "a" / hidden / f"0{extension}").write_bytes(b"no sample")
    (root / "train" / f"old{extension}").rmdir()  # it would be a class
    assert names(root) == [f"train/a/0{extension}", f"train/b/0{extension}"]


def test_files_of_other_kinds_are_counted_in_one_line(kind):
    what, root, _, names, other = kind
    for i in range(3):
        (root / "train" / "b" / f"{i}{other}").write_text("none of ours")
    (root / "train" / "a" / "gone.link").symlink_to(root / "nowhere")
    where = "" if what == "scans" else " \\(in the folders 'a', 'b'\\)"
    message = rf"train: 2 {what}; left out: 3 {other} files, 1 link that leads nowhere{where}; expected \."
    with pytest.warns(UserWarning, match=message) as said:
        assert len(names(root)) == 2
    assert len(said) == 1 and "\n" not in str(said[0].message)


def test_samples_in_subfolders_and_beside_the_classes_are_told(tmp_path):
    for place in ("a", "a/more/deep", "b", "."):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / "0.png").touch()
    folders = {name: tmp_path / name for name in "ab"}
    with pytest.warns(
        UserWarning,
        match=r"left out: 1 file in subfolders \(in the folder 'a'\); 1 file beside the folders of the classes;",
    ):
        samples = class_samples(folders, FileKind("images", (".png",)))
    assert samples == [(tmp_path / "a/0.png", 0), (tmp_path / "b/0.png", 1)]
    assert len(list_samples(tmp_path, FileKind("images", (".png",), deep=True)).paths) == 4
    (tmp_path / "b/0.png").rename(tmp_path / "b/0.heic")
    with pytest.raises(ValueError, match=r"b: no images, expected \.png, got 1 \.heic file$"):
        class_samples(folders, FileKind("images", (".png",)))


def test_a_line_of_one_file_and_of_many_classes_and_kinds():
    kind = FileKind("images", (".png", ".jpg"))

    def line(**left_out):
        notices.say_once.cache_clear()
        with pytest.warns(UserWarning) as said:
            tell_left_out(Path("root/train"), 9, {n: Counter(c) for n, c in left_out.items()}, kind)
        return str(said[0].message)

    expected = "root/train: 9 images; left out: 1 .heic file (in the folder '3'); expected .png .jpg"
    assert line(**{"2": {}, "3": {".heic": 1}}) == expected
    many = {name: {".heic": 2, "": 1} for name in "abcde"}
    assert "10 .heic files, 5 files without an extension (in the folders 'a', 'b', 'c' and 2 more);" in line(
        **many
    )
    kinds = {f".{letter}": 9 - i for i, letter in enumerate("stuvwxyz")}
    assert ", 4 .x files, 5 of other kinds (in" in line(a=kinds)


def test_textures_belong_to_their_meshes(tmp_path):
    for name in ("0.obj", "0.mtl", "0.png"):
        (tmp_path / name).touch()
    found = list_samples(tmp_path, FileKind("shapes", (".obj",), (".mtl", ".png")))
    assert [path.name for path in found.paths] == ["0.obj"] and not found.left_out


def test_official_folders_follow_the_same_rule(tmp_path):
    folder = tmp_path / "ModelNet10" / "bed" / "train"
    folder.mkdir(parents=True)
    box(folder / "bed_0001.OFF")
    (folder / "._bed_0001.off").write_bytes(b"\0\5\x16\7")
    (folder / "old.off").mkdir()
    part = ModelNet10(tmp_path, check_counts=False, download=False, num_samples=8, num_points=8)
    assert part.names == ["bed/train/bed_0001.OFF"]
    for word in ("no", "yes"):
        (tmp_path / word / "old.wav").mkdir(parents=True)
        wave(tmp_path / word / "0.WAV")
        (tmp_path / word / "._0.wav").touch()
    assert list_recordings(tmp_path, ("no", "yes")).names == ["no/0.WAV", "yes/0.WAV"]


def test_hidden_names():
    assert all(is_hidden(name.format(".png")) for name in SYSTEM[:-1] + FOLDERS[1:])
    assert not any(map(is_hidden, ("cat.png", "_cat.png", "thumbs.png", "macosx")))


def test_names_that_are_no_text(kind):
    """As unpacked from an archive of another system: Latin-1 in the name of a file and of a class."""
    what, root, extension, names, _ = kind
    if what == "scans":
        pytest.skip("has no folders of classes")
    sample = root / "train" / "a" / f"0{extension}"
    (root / "train" / "a").rename(root / "train" / "caf\udce9")
    sample = root / "train" / "caf\udce9" / f"0{extension}"
    sample.rename(sample.with_name(f"\udce9{extension}"))
    for _ in range(2):  # read, then stored
        assert names(root) == [f"train/b/0{extension}", f"train/caf\udce9/\udce9{extension}"]
