"""The Python of the README and the other pages runs as it stands."""

import ast
import importlib
import re

import pytest

from ccnn_geo.datasets import ParametricShapes
from ccnn_geo.nn.ccnn import PRESETS
from tests.project.pages import PAGES, ROOT, name_of

README = ROOT / "README.md"
BLOCKS = [
    (name_of(page), block)
    for page in PAGES
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
]
SELF_CONTAINED = [
    (page, block) for page, block in BLOCKS if not any(word in block for word in ("runs/", "onnxruntime"))
]
"""Without those that need what a command has made: tests/export runs that of ONNX."""


@pytest.fixture
def small(monkeypatch):
    """The smallest preset with two blocks and few shapes of each family: no page says how many there are."""
    monkeypatch.setitem(PRESETS, "ccnn_4_16", {**PRESETS["ccnn_4_16"], "num_blocks": 2})
    few = {**ParametricShapes.__init__.__kwdefaults__, "train_per_class": 2, "test_per_class": 1}
    monkeypatch.setattr(ParametricShapes.__init__, "__kwdefaults__", few)


@pytest.mark.parametrize(
    ("page", "code"), SELF_CONTAINED, ids=[f"{p}-{i}" for i, (p, _) in enumerate(SELF_CONTAINED)]
)
def test_code_block_runs_and_prints_what_it_says(page, code, small, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "export_program" in code:  # each block is traced
        monkeypatch.setitem(PRESETS["ccnn_4_16"], "num_blocks", 1)
    exec(compile(code, page, "exec"), {})
    said = re.findall(r"print\(.*?# (\[[\d, ]+\]|\w+)", code)
    expected = [f"torch.Size({value})" if value.startswith("[") else value for value in said]
    assert capsys.readouterr().out.split("\n")[:-1] == expected


def imported(code):
    """Names that some Python imports from this package, by where it looks for them."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ccnn_geo":
            yield from ((node.module, alias.name) for alias in node.names)


def test_pages_and_examples_import_public_names_alone():
    examples = [(path.name, path.read_text(encoding="utf-8")) for path in ROOT.glob("examples/*.py")]
    used = {(page, *found) for page, code in [*BLOCKS, *examples] for found in imported(code)}
    assert len(used) > 30
    private = [found for found in used if found[2] not in importlib.import_module(found[1]).__all__]
    assert private == []


def test_there_is_something_to_run():
    assert [page for page, _ in SELF_CONTAINED].count("README.md") == 2
    assert {"docs/data.md", "docs/networks.md", "docs/guides/own_network.md"} <= dict(SELF_CONTAINED).keys()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_rows_of_tables_have_as_many_cells_as_their_heads(page):
    """A bar in a cell ends it, in code too, and what is too much is not shown."""
    for table in re.findall(r"(?:^\|.*\n)+", page.read_text(encoding="utf-8"), re.M):
        rows = table.splitlines()
        assert [row for row in rows if row.count("|") != rows[0].count("|")] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_pages_name_files_and_commands_that_exist(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"^[A-Z0-9_]{5,}$", text, re.M), "a placeholder was left"
    for name in re.findall(r"`((?:docs|tests|datasets|experiments|ccnn_geo)/[\w/.]+\.\w+)`", text):
        assert (ROOT / name).is_file(), name
    for module in re.findall(r"python -m ccnn_geo\.experiments\.([\w.]*\w)\b(?!\.<)", text):
        assert (ROOT / "experiments" / (module.replace(".", "/") + ".py")).is_file(), module
    for config in re.findall(r"--config (\w+(?:/\w+)?)", text):
        assert (ROOT / "experiments" / f"{config}.yaml").is_file() or config.isupper(), config
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (page.parent / picture).is_file(), picture
