"""The notebooks of the pages run from their first cell to their last, at a size of seconds, and learn their task."""

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
nbclient = pytest.importorskip("nbclient")

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
MOST_CELLS = 12


@pytest.fixture
def run(tmp_path, monkeypatch):
    """What the cells of a notebook print and show, in a folder and a process of its own."""
    monkeypatch.setenv("CCNN_GEO_TINY", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

    def call(name: str) -> tuple[str, list[str]]:
        notebook = nbformat.read(ROOT / "docs" / "notebooks" / f"{name}.ipynb", as_version=4)
        folder = tmp_path / name
        folder.mkdir()
        resources = {"metadata": {"path": str(folder)}}
        nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
        outputs = [o for cell in notebook.cells for o in cell.get("outputs", ())]
        errors = "".join(o["text"] for o in outputs if o.get("name") == "stderr")
        assert [line for line in errors.splitlines() if "Warning" in line and "IProgress" not in line] == []
        texts = [o["text"] if "text" in o else o["data"]["text/plain"] for o in outputs]
        return "\n".join(texts), [key for o in outputs for key in o.get("data", ()) if key == "image/png"]

    return call


def numbers(text: str, name: str) -> list[float]:
    return [float(n) for n in re.findall(rf"{name}: ([\d.]+)", text)]


def test_every_notebook_is_run_here_and_is_on_the_index():
    names = {path.stem for path in NOTEBOOKS}
    assert names <= set(re.findall(r'run\("(\w+)"\)', Path(__file__).read_text()))
    assert names == set(re.findall(r"^notebooks/(\w+)$", (ROOT / "docs" / "index.md").read_text(), re.M))


def test_own_shapes(run):
    text, pictures = run("own_shapes")
    assert "ccnn-geo train --config shapes/ccnn_4_32 --data.root shapes" in text  # what `data check` advises
    losses = numbers(text, "Loss")
    assert losses[-1] < losses[0]
    assert numbers(text, "Test accuracy")[0] > 0.6  # of three kinds
    assert "Prediction(label='" in text and len(pictures) == 1


def test_irregular_series(run):
    text, pictures = run("irregular_series")
    assert numbers(text, "Test accuracy, all observations")[0] > 0.8
    assert numbers(text, "Test accuracy, half observations")[0] > 0.65  # of two kinds
    assert len(pictures) == 1


def test_voxels_to_points(run):
    text, pictures = run("voxels_to_points")
    losses = numbers(text, "Loss")
    assert losses[-1] < losses[0]
    for form in ("voxels", "points"):
        assert numbers(text, f"Test accuracy on {form}")[0] > 0.2  # of ten kinds
        assert re.search(rf"{form}: chair, \d+ %", text)
    assert len(pictures) == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_short_stored_without_outputs_and_import_public_names_alone(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(cells) <= MOST_CELLS
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    lines = [line for cell in code for line in [*cell["source"], "\n"] if not line.startswith("%")]
    for node in ast.walk(ast.parse("".join(lines))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ccnn_geo":
            module = importlib.import_module(node.module)
            assert {alias.name for alias in node.names} <= set(module.__all__), node.module
