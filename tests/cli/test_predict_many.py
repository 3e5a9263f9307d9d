"""Many files: shared by processes, answered once; how they go on after a kill: ``tests/faults``."""

import json
from pathlib import Path

import numpy as np
import pytest

from ccnn_geo.cli.inputs import expand
from ccnn_geo.export.parts import Parts
from ccnn_geo.io.files.sample_files import FileKind
from ccnn_geo.io.files.storage import exclusive
from tests.faults.small_model import FILES, write_model

OFF = FileKind("shapes", [".off"], deep=True)


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A network in ``model``, 24 clouds in ``clouds``."""
    monkeypatch.chdir(tmp_path)
    write_model()


def test_what_is_there_is_not_done_again(model, run_cli):
    assert run_cli("predict", "model", "clouds", "--out", "out")[0] == 0
    before = Path("out/predictions.json").stat().st_mtime_ns
    code, output, _ = run_cli("predict", "model", "clouds", "--out", "out")
    assert code == 0 and "24 of them earlier" in output
    assert Path("out/predictions.json").stat().st_mtime_ns == before
    code, _, errors = run_cli("predict", "model", FILES[0], "--out", "out")
    others = f"holds the predictions.json of 23 other files, such as {FILES[1]}; name another folder"
    assert code == 1 and others in errors
    code, _, errors = run_cli("predict", "model", FILES[0], "--out", FILES[1])
    assert code == 1 and "expected a folder for the predictions" in errors


def test_answers_of_another_model_are_not_mixed(tmp_path):
    Parts(tmp_path / "out", "one", ["a", "b"]).add([{"file": "a", "class": "cup"}])
    with pytest.raises(ValueError, match="holds predictions of another model"):
        Parts(tmp_path / "out", "two", ["a", "b"])
    assert Parts(tmp_path / "out", "one", ["a", "b"]).rest == ["b"]


def test_a_file_that_changes_is_answered_again(model, run_cli):
    changed = np.load(FILES[3])[::2]
    Parts(Path("part"), "m", FILES).add([{"file": file, "class": "cup"} for file in FILES[:8]])
    assert run_cli("predict", "model", "clouds", "--out", "out")[0] == 0
    np.save(FILES[3], changed)
    assert Parts(Path("part"), "m", FILES).rest == [FILES[3], *FILES[8:]]
    before = json.loads(Path("out/predictions.json").read_text())["answers"]
    np.save("clouds/new.npy", changed)
    code, output, errors = run_cli("predict", "model", "clouds", "--out", "out")
    assert (
        (code, errors) == (0, "") and output.startswith("25 of 25 files") and "23 of them earlier" in output
    )
    after = json.loads(Path("out/predictions.json").read_text())["answers"]
    assert [one["file"] for one in after] == [*FILES, "clouds/new.npy"]
    assert [i for i in range(24) if before[i] != after[i]] == [3]
    assert after[3]["probability"] == pytest.approx(after[24]["probability"], abs=1e-5)
    assert not list(Path("out").glob("part-*"))
    (Path("table.parquet")).touch()
    before = Parts(Path("table"), "m", ["table.parquet/7"])
    before.add([{"file": "table.parquet/7", "class": "cup"}])
    assert Parts(Path("table"), "m", ["table.parquet/7"]).rest == []
    Path("table.parquet").write_text("more")
    assert Parts(Path("table"), "m", ["table.parquet/7"]).rest == ["table.parquet/7"]


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


def test_a_bad_file_is_named_again(model, run_cli):
    Path("clouds/bad.npy").touch()
    for before in ("", ", 24 of them earlier"):
        code, output, errors = run_cli("predict", "model", "clouds", "--out", "out")
        assert code == 1 and errors.splitlines()[-1].endswith(
            "no prediction for 1 of 25 files: clouds/bad.npy"
        )
        assert output.startswith("24 of 25 files in ") and f" s{before}: out" in output
    np.save("clouds/bad.npy", np.load(FILES[0]))
    code, output, errors = run_cli("predict", "model", "clouds", "--out", "out")
    assert (code, errors) == (0, "") and output.startswith("25 of 25 files in ")


def test_a_bad_file_may_go(model, run_cli):
    Path("clouds/bad.npy").touch()
    assert run_cli("predict", "model", "clouds", "--out", "out")[0] == 1
    Path("clouds/bad.npy").unlink()
    code, output, errors = run_cli("predict", "model", "clouds", "--out", "out")
    assert (code, errors) == (0, "") and "24 of them earlier" in output
    assert "bad.npy" not in Path("out/predictions.json").read_text()


def test_an_answer_that_is_gone_is_asked_again(tmp_path):
    record = {"class": "cup", "probability": 1.0, "probabilities": {"cup": 1.0}}
    first = Parts(tmp_path, "m", ["a", "b"])
    first.add([{"file": name, **record} for name in "ab"])
    assert first.finish() and Parts(tmp_path, "m", ["a", "b"]).rest == []
    again = Parts(tmp_path, "m", ["a", "b"], is_there=lambda file: file != "b")
    assert again.rest == ["b"]
    again.add([{"file": "b", **record}])
    assert again.finish() and not list(tmp_path.glob("part-*"))


def test_processes_that_go_on_with_a_whole_lose_nothing(tmp_path):
    record = {"class": "cup", "probability": 1.0, "probabilities": {"cup": 1.0}}
    first = Parts(tmp_path, "m", ["a", "b"])
    first.add([{"file": name, "error": "cut off"} for name in "ab"])
    assert first.finish()
    both = [Parts(tmp_path, "m", ["a", "b"], rank, 2) for rank in range(2)]
    for part, name in zip(both, "ab", strict=True):  # the first puts together before the second is done
        part.add([{"file": name, **record}])
        assert part.finish()
    assert Parts(tmp_path, "m", ["a", "b"]).rest == []


def test_names_that_are_no_text(model, run_cli):
    Path("clouds").rename("some")
    Path(FILES[3].replace("clouds", "some")).rename("some/odd_\udcff.npy")
    code, output, errors = run_cli("predict", "model", "some", "--out", "out")
    assert (code, errors) == (0, "") and output.startswith("24 of 24 files")
    assert r"some/odd_\udcff.npy," in Path("out/predictions.csv").read_text()
    assert r"some/odd_\udcff.npy" in Path("out/predictions.json").read_text()
    code, output, _ = run_cli("predict", "model", "some", "--csv")
    assert code == 0 and r"some/odd_\udcff.npy," in output


def test_nothing_is_said_where_nothing_is_answered(model, run_cli):
    Path("empty").mkdir()
    for form in ([], ["--csv"]):
        code, output, errors = run_cli("predict", "model", "nowhere.npy", "empty", *form)
        assert (code, output) == (1, "")
        assert "ccnn-geo: empty: no shapes in this folder, expected .off" in errors


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
    monkeypatch.setattr("sys.stdin", iter(["a\n"]))
    for paths in (["a"], ["a/**/*.*"], ["-"]):  # what lies in the folder of the answers is none to ask
        assert "a/deep/2.OFF" not in list(expand(paths, OFF, Path("a/deep")))
    assert list(expand(["a/deep/2.OFF"], OFF, Path("a/deep"))) == ["a/deep/2.OFF"], "said by name"


@pytest.mark.parametrize("text", ["[]", "{}", "nothing", '{"model": "a", "answers": [1]}'])
def test_what_others_have_written_stays(tmp_path, text):
    (tmp_path / "predictions.json").write_text(text)
    with pytest.raises(ValueError, match=r"holds a predictions.json that predict did not write"):
        Parts(tmp_path, "a", ["1"])
    assert (tmp_path / "predictions.json").read_text() == text


def test_what_data_sets_have_prepared_is_not_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("cup/a.npz", "processed/own.npz"):
        Path(name).parent.mkdir()
        Path(name).touch()
    with exclusive(Path("processed"), "train-0.npz"):
        Path("processed/train-0.npz").touch()
        Path("processed/train-0.npy").touch()
    kind = FileKind("shapes", [".npz", ".npy"], deep=True)
    for paths in (["."], ["**/*.np*"]):
        assert list(expand(paths, kind)) == ["cup/a.npz", "processed/own.npz"]
    assert list(expand(["processed/train-0.npz"], kind)) == ["processed/train-0.npz"], "said by name"


def test_tables_and_masks_beside_files_are_not_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "targets.csv", "sub/Labels.csv", "sub/predictions.csv", "sub/b.csv"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    kind = FileKind("series", [".csv"], deep=True)
    for paths in (["."], ["**/*.csv"]):
        assert list(expand(paths, kind)) == ["a.csv", "sub/b.csv"]
    assert list(expand(["targets.csv"], kind)) == ["targets.csv"], "said by name"
    for name in ("root/test/images/0.png", "root/test/masks/0.png", "root/masks/1.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    kind = FileKind("images", [".png"], deep=True)
    assert list(expand(["root"], kind)) == ["root/masks/1.png", "root/test/images/0.png"]
    assert list(expand(["root/test/masks"], kind)) == ["root/test/masks/0.png"], "said by name"


@pytest.mark.parametrize("line", ["{", "[1]", "7", "{}", '{"model": "a"}'])
def test_a_damaged_part_is_named(tmp_path, line):
    (tmp_path / "part-0-of-2.jsonl").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"line 1 of part-0-of-2\.jsonl is damaged; remove that file"):
        Parts(tmp_path, "a", ["1"])
