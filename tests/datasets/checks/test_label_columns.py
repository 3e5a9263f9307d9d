"""Columns that may be labels of times are hinted at where nothing else says what is to be learned."""

import pytest

from ccnn_geo.datasets.checks.label_columns import label_columns
from ccnn_geo.datasets.checks.report import check_folder
from ccnn_geo.datasets.series.csv_series import CSVSeries

HEAD = "time,wind,state,mode,note,line\n"
LINES = [f"{i},{0.5 * i},{('up', 'down', '')[i % 3]},{i % 2},word {i},{i}\n" for i in range(12)]
TEXT = HEAD + "".join(LINES)


def put(path, text=TEXT):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("places", [("a.csv", "b.csv"), ("train/a.csv", "test/b.csv")])
def test_words_that_come_again_and_few_whole_numbers_are_hinted_at(tmp_path, places, run_cli):
    for place in places:
        put(tmp_path / place)
    assert label_columns(tmp_path, (".csv",), {}) == ["state", "mode"]
    code, _, errors = run_cli("data", "check", str(tmp_path))
    assert code == 1
    hint = "; the columns 'state', 'mode' may hold a class for each time: --option label=state"
    assert errors.splitlines()[0].endswith(hint)


def test_the_hint_leads_to_a_sound_folder(tmp_path):
    for split in ("train", "test"):
        for i in range(3):
            put(
                tmp_path / split / f"{i}.csv",
                "time;x;Zustand 1\n0,5;1,25;auf\n1,5;2,25;ab\n2,5;1;auf\n3,5;1;ab\n",
            )
    (problem,) = check_folder(tmp_path).problems
    assert problem.endswith("--option 'label=Zustand 1'")
    assert check_folder(tmp_path, options={"label": "Zustand 1"}).problems == []


def test_tables_as_they_are_written(tmp_path):
    put(tmp_path / "a.csv", "Zeit|x|on\n" + "".join(f"{i}|{i}.5|{i % 2}\n" for i in range(6)))
    assert label_columns(tmp_path, (".csv",), {"time": "Zeit"}) == ["on"]
    assert label_columns(tmp_path, (".csv",), {}) == [], "no column of times: its reader says so"


def test_no_hint_where_classes_are_folders_or_files_have_targets(tmp_path):
    for kind in ("calm", "storm"):
        for i in range(2):
            put(tmp_path / "classes/train" / kind / f"{i}.csv")
            put(tmp_path / "one" / "calm" / f"{i}.csv")
            put(tmp_path / "targets/train" / f"{i}.csv")
    (tmp_path / "targets/train/targets.csv").write_text("file,force\nnone.csv,1\n")
    put(tmp_path / "numbers/a.csv", "time,x\n" + "".join(f"{i},{i}.5\n" for i in range(9)))
    put(tmp_path / "long/a.csv", "time,variable,value\n0,a,1\n1,b,1\n2,a,1\n3,b,1\n")
    for name in ("classes", "one", "targets", "numbers", "long"):
        report = check_folder(tmp_path / name)
        assert report.problems and "label=" not in " ".join([*report.problems, *report.notes])


def test_a_column_of_labels_that_no_file_has_is_said_once(tmp_path, run_cli):
    for split in ("train", "test"):
        for i in range(5):
            put(tmp_path / split / f"{i}.csv", "time,x,label\n0,1,silence\n1,2,word\n")
    said = f"{tmp_path}: no column 'state' (option label), the columns are 'x', 'label'"
    assert check_folder(tmp_path, options={"label": "state"}).problems == [said]
    with pytest.raises(ValueError, match="no column 'state'") as caught:
        CSVSeries(tmp_path, label="state")
    assert str(caught.value) == said
    assert check_folder(tmp_path, options={"label": "label"}).problems == []
