"""The commands of the README and the other pages: they run, or where they take hours, their arguments are read."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trimesh

from ccnn_geo.cli import _main as cli
from ccnn_geo.cli import data as data_command
from ccnn_geo.cli.arguments import named_dataset
from ccnn_geo.cli.export import FORMATS
from ccnn_geo.cli.start import with_settings_of_start
from ccnn_geo.cli.train_options import PARTS, plain_values, train_parser
from ccnn_geo.experiments.engine import reproduction
from ccnn_geo.experiments.engine.studies import EFFICIENCY
from ccnn_geo.export import program
from ccnn_geo.training import run
from ccnn_geo.training.runs import with_config_paths
from tests.project.pages import GUIDES, PAGES, ROOT, commands_of

TRAINED = "runs/shapes_4_32/001"
TINY = (
    *("--model.hidden_channels", "8", "--model.num_blocks", "2", "--model.kernel_hidden", "4"),
    *("--model.kernel_layers", "1", "--model.num_neighbors", "8"),
    *("--data.num_points", "48", "--data.num_samples", "64"),
    *("--data.batch_size", "8", "--trainer.max_epochs", "1"),
)


def _commands() -> list[tuple[str, ...]]:
    """What follows ``ccnn-geo`` in the lines of all pages, each once; what guides do is run in test_guides."""
    found = {page: commands_of(page) for page in PAGES}
    assert found[ROOT / "README.md"]
    begun = [words for page in GUIDES for words in found[page] if words[0] in LONG]
    return list(
        dict.fromkeys([words for page in PAGES if page not in GUIDES for words in found[page]] + begun)
    )


LONG = ("train", "reproduce")
GPU = [words for words in _commands() if words[0] == "gpu-check"]
COMMANDS = [words for words in _commands() if words not in GPU]
PREPARE = ("data", "prepare")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a reader of the pages stands: shapes of their own, runs, a file to classify."""
    place = tmp_path_factory.mktemp("reader")
    rng = np.random.default_rng(0)
    for split, count in {"train": 24, "test": 3}.items():
        for name, height in {"ball": 1.0, "furniture": 0.05}.items():
            (place / "root" / split / name).mkdir(parents=True)
            for i in range(count):
                points = rng.normal(size=(64, 3))
                points *= [1, 1, height] / np.linalg.norm(points, axis=1, keepdims=True)
                np.save(place / "root" / split / name / f"{i}.npy", points)
    mesh = trimesh.creation.icosphere(2)
    mesh.export(place / "my.off")
    mesh.export(place / "scan.ply")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        given = ("--config", "shapes/ccnn_4_32", "--data.root", "root")
        assert cli.main(("train", *given, *TINY, "--out", TRAINED)) == 0
    runs = ("shapes_4_32/002", "demo/001", "cifar10_4_140/001", "smnist_4_140/001")
    for other in (*runs, "qm7_4_32/001", "heights_4_32/001"):
        shutil.copytree(place / TRAINED, place / "runs" / other)
    return place


def write_kind(network, form, file):
    file.write(f"{form} of {type(network).__name__}".encode())


@pytest.mark.parametrize(
    "words", [c for c in COMMANDS if c[0] not in LONG and c[:2] != PREPARE], ids=" ".join
)
def test_runs(folder, monkeypatch, capsys, words):
    monkeypatch.chdir(folder)
    for made in ("model", "program", "furniture", "reader"):
        shutil.rmtree(folder / made, ignore_errors=True)
    form = words[words.index("--format") + 1] if "--format" in words else None
    if form is not None:  # tracing takes seconds; tests/export has it in full
        monkeypatch.setattr(program, "program_writer", lambda *given: partial(write_kind, *given))
    assert cli.main(words) == 0
    shown = capsys.readouterr()
    assert shown.out and not shown.err
    if form is not None:
        written = Path(words[2], FORMATS[form]).read_text()
        assert written in (f"{form} of PointProgram", f"{form} of GridProgram")


@pytest.mark.parametrize("words", [c for c in COMMANDS if c[0] == "train"], ids=" ".join)
def test_trainings_are_complete_settings(words, monkeypatch):
    monkeypatch.setenv("GROUP_RANK", "0")  # as torchrun sets it
    arguments = with_config_paths(list(words[1:]))
    with with_settings_of_start(arguments) as arguments:
        settings = plain_values(train_parser(named_dataset(arguments)).parse_args(arguments), PARTS)
    run.check(settings)
    assert settings["trainer"]["max_epochs"] > 0


@pytest.mark.parametrize("words", [c for c in COMMANDS if c[0] == "reproduce"], ids=" ".join)
def test_studies_take_the_options(tmp_path, monkeypatch, capsys, words):
    report = tmp_path / "report.md"
    report.write_text("done\n")
    begun = []

    def study(what, options, *others, **more):
        begun.append((what.name, options.root))
        return report

    monkeypatch.setattr(reproduction, "run_study", study)
    assert cli.main(words) == 0
    if len(words) > 1:
        assert words[1] not in EFFICIENCY  # they measure at once
        named = "--root" in words
        assert begun == [(words[1], Path(words[words.index("--root") + 1]) if named else None)]
        assert "done" in capsys.readouterr().out


@pytest.mark.parametrize("words", [c for c in COMMANDS if c[:2] == PREPARE], ids=" ".join)
def test_preparations_take_the_options(monkeypatch, words):
    asked = []
    monkeypatch.setattr(data_command, "prepare", lambda *given: asked.append(given) or ["ready"])
    assert cli.main(words) == 0
    assert [given[:2] for given in asked] == [(words[2], "data")]


@pytest.mark.parametrize("words", GPU, ids=" ".join)
def test_checks_of_a_gpu_start_without_one(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    assert cli.main([*words, "--device", "cpu", "--tiny", "--only", "stale_window"]) == 0
    assert (tmp_path / "gpu-check" / "report.md").exists()
