"""The README's Python runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
SELF_CONTAINED = [block for block in BLOCKS if "runs/" not in block]


@pytest.mark.parametrize("code", SELF_CONTAINED, ids=range(len(SELF_CONTAINED)))
def test_code_block_runs_and_prints_what_it_says(code, capsys):
    exec(compile(code, str(README), "exec"), {})
    said = re.findall(r"print\(.*?# (\[[\d, ]+\]|\w+)", code)
    expected = [f"torch.Size({value})" if value.startswith("[") else value for value in said]
    assert capsys.readouterr().out.split("\n")[:-1] == expected


def test_there_is_something_to_run():
    assert len(SELF_CONTAINED) == 3


ROOT = README.parent


@pytest.mark.parametrize(
    "page", sorted(p.relative_to(ROOT) for p in (README, *ROOT.glob("docs/*.md"))), ids=str
)
def test_pages_name_files_and_commands_that_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert not re.search(r"^[A-Z0-9_]{5,}$", text, re.M), "a placeholder was left"
    for name in re.findall(r"`((?:docs|tests|experiments|ccnn_geo|functional)/[\w/.]+\.\w+)`", text):
        folder = "ccnn_geo" if name.startswith("functional/") else "."
        assert (ROOT / folder / name).is_file(), name
    for module in re.findall(r"python -m ccnn_geo\.experiments\.(\w+)", text):
        assert (ROOT / "experiments" / f"{module}.py").is_file(), module
    for config in re.findall(r"--config (\w+(?:/\w+)?)", text):
        assert (ROOT / "experiments" / f"{config}.yaml").is_file() or config.isupper(), config
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert ((ROOT / page).parent / picture).is_file(), picture
