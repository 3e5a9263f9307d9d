"""Pages, docstrings and comments keep to a few rules of plain English."""

import ast
import io
import json
import re
import tokenize

import pytest

from tests.project.pages import PAGES, ROOT, name_of

TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
SOURCES = sorted(
    path
    for folder in ("ccnn_geo", "datasets", "experiments", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
RULES = {
    r"(?:What|Who|Where|Which|Whose)\b[^?]*$": "starts like a question and is none",
    r"Of\b": "starts with a genitive",
    r".*\b(?:anew|for want of|the other way round|thereby|by which nothing was)\b": "has a bookish phrase",
}
"""How no sentence begins, and why."""


def sentences(text: str) -> list[str]:
    """Sentences of prose without code, links' targets, formulas, tables, headings and commands."""
    text = re.sub(
        r"```.*?```|^(?: {4,}|\||#).*$|^>>>.*$", "", text, flags=re.S | re.M if "```" in text else re.M
    )
    text = re.sub(r"``[^`]*``|`[^`]*`|:\w+:|\$[^$]*\$", "X", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    found = []
    for paragraph in re.split(r"\n\s*\n|\n\s*(?:[*-]|\d+\.) ", text):
        flat = " ".join(paragraph.replace("**", "").split())
        found += [s for s in re.split(r"(?<=[.!?:])\s+(?=[A-Z\[\"(])", flat) if s]
    return found


def complaints(text: str) -> list[str]:
    found = []
    for sentence in sentences(text):
        bare = sentence.lstrip("*-[(\"' ")
        found += [f"{why}: {sentence[:90]}" for rule, why in RULES.items() if re.match(rule, bare, re.S)]
    return found


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_pages(page):
    assert not complaints(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    assert texts and not [line for text in texts for line in complaints(text)]


def test_docstrings_and_comments():
    found = {}
    for path in SOURCES:
        source = path.read_text(encoding="utf-8")
        texts = [
            ast.get_docstring(node) or ""
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        texts += [t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT]
        wrong = [line for text in texts for line in complaints(text)]
        if wrong:
            found[str(path.relative_to(ROOT))] = wrong
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "What a norm remembers is measured.",
        "It is so. Of these some stay.",
        "Weights are made anew.",
        "* Which is why.",
    ],
)
def test_the_rules_find_what_they_are_for(text):
    assert complaints(text)


@pytest.mark.parametrize(
    "text", ["What does it cost?", "`What` it is.", "The cost of it. Oftener than not.", "    What --code"]
)
def test_the_rules_let_questions_and_code_pass(text):
    assert not complaints(text)
