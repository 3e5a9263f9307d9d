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
    said = re.findall(r"print\(.*?# (\[[\d, ]+\])", code)
    assert capsys.readouterr().out.split("\n")[:-1] == [f"torch.Size({shape})" for shape in said]


def test_there_is_something_to_run():
    assert len(SELF_CONTAINED) == 2
