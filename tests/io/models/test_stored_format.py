"""A folder that an earlier state of this package has written is read, and computes what it did."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from ccnn_geo import CCNN

STORED = Path(__file__).with_name("format_1")
"""Format 1 as it was when folders did not say of which class they are."""
OUTPUTS = [-0.28598, 0.383432, 0.014979]
"""What it computed then, of the points below."""


def points() -> tuple[torch.Tensor, torch.Tensor]:
    i = torch.arange(20, dtype=torch.float)
    x = torch.stack([i / 10 - 1, (i % 5) / 2 - 1], dim=1)
    return x, torch.stack([(i * step % 20) / 10 - 1 for step in (7, 3, 11)], dim=1)


@torch.no_grad()
def test_a_folder_of_format_1_computes_what_it_did():
    found = CCNN.from_pretrained(STORED)(*points())[0]
    torch.testing.assert_close(found, torch.tensor(OUTPUTS), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_it_can_be_written_again(tmp_path):
    folder = CCNN.from_pretrained(STORED).save_pretrained(tmp_path / "again")
    found = CCNN.from_pretrained(folder)(*points())[0]
    torch.testing.assert_close(found, torch.tensor(OUTPUTS), rtol=1e-4, atol=1e-4)


def test_a_format_of_the_future_says_which_release_reads_it(tmp_path):
    shutil.copytree(STORED, tmp_path / "future")
    path = tmp_path / "future" / "config.json"
    config = {**json.loads(path.read_text()), "format_version": 3, "package_version": "7.0"}
    path.write_text(json.dumps(config))
    with pytest.raises(
        ValueError, match=r"format 3, written by ccnn_geo 7.0; .*: install ccnn_geo 7.0 or newer"
    ):
        CCNN.from_pretrained(tmp_path / "future")
