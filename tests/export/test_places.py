"""Answers replace neither each other nor what was asked."""

from pathlib import Path

import pytest

from ccnn_geo.export.places import places


def ply(target: Path) -> list[Path]:
    return [target.with_suffix(".ply")]


def test_files_that_differ_by_extension_keep_it() -> None:
    found = places(["in/a.off", "in/a.ply", "in/b.off", "in/c/a.off"], Path("out"), ply)
    assert [target.as_posix() for target in found.values()] == [
        "out/a_off.off",
        "out/a_ply.ply",
        "out/b.off",
        "out/c/a.off",
    ]
    assert len({path for target in found.values() for path in ply(target)}) == 4


def test_names_that_are_taken() -> None:
    found = places(["in/predictions.csv", "in/b.csv"], Path("out"), taken=["predictions.csv"])
    assert [target.name for target in found.values()] == ["predictions_csv.csv", "b.csv"]


def test_one_file_by_two_names_has_one_answer() -> None:
    assert len(set(places(["in/a.off", "in/../in/a.off"], Path("out"), ply).values())) == 1


def test_what_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"out.a_off.ply would be the prediction for .* and for another file"
    ):
        places(["in/a.off", "in/a.ply", "in/a_off.off"], Path("out"), ply)


def test_answers_replace_no_file_that_is_asked(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"prediction for a.ply would replace the file itself; expected another folder"
    ):
        places(["a.ply"], Path(), ply)
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(ValueError, match="would replace the file itself"):
        places([str(tmp_path / "a.ply")], tmp_path / "link", ply)
    assert places(["a.off"], Path(), ply) == {"a.off": Path("a.off")}, "its answer is another file"
