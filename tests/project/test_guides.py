"""The commands of each guide run one after another, as a reader types them, on small data and with small networks."""

import re

import pytest

from ccnn_geo.cli import _main as cli
from tests.project.pages import GUIDES, ROOT, commands_of

pytest.importorskip("PIL")
trimesh = pytest.importorskip("trimesh")
pytest.importorskip("laspy")

SMALL = (
    *("--model.hidden_channels", "8", "--model.num_blocks", "2", "--model.kernel_hidden", "4"),
    *("--model.kernel_layers", "1", "--data.batch_size", "4", "--trainer.max_epochs", "1"),
)
POINTS = ("--model.num_neighbors", "8", "--data.num_points", "32")
OF_POINTS = ("shapes", "voxels", "parts", "scenes", "models", "qm7", "fields", "series")
WITH_COMMANDS = [page for page in GUIDES if commands_of(page)]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_commands_run_in_their_order(page, tmp_path, monkeypatch, capsys):
    from tests.project import guide_data

    getattr(guide_data, page.stem)(tmp_path)
    monkeypatch.chdir(tmp_path)
    for words in commands_of(page):
        if words[0] == "train":
            task = words[words.index("--config") + 1].split("/")[0]
            words = (*words, *SMALL, *(POINTS if task in OF_POINTS else ()))
        assert cli.main(words) == 0, (words, capsys.readouterr().err)
    text = page.read_text(encoding="utf-8")
    for folder in re.findall(r"^    .* --out (\w+)", text, re.M):
        assert (tmp_path / folder / "predictions.csv").is_file()
    runs = {path.parent.name for path in (tmp_path / "runs").glob("*/001")}
    assert runs == set(re.findall(r"runs/(\w+)", text))


def test_every_guide_is_on_the_index_and_has_its_parts():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert {page.stem for page in GUIDES} == set(re.findall(r"^guides/(\w+)$", index, re.M))
    for page in GUIDES:
        text = page.read_text(encoding="utf-8")
        heads = re.findall(r"^## (.*)$", text, re.M)
        assert heads[-3:] == ["How good is it?", "Not good enough?", "Limits"], page.name
        assert re.match(r"# .*\n\nAt the end you have ", text) and len(text.splitlines()) <= 80
