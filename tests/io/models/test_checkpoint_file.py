import pytest
import torch

from ccnn_geo.io.models.checkpoint import load_checkpoint
from ccnn_geo.training.checkpoints import AtomicCheckpointIO
from ccnn_geo.training.runs import new_run, previous_if_damaged


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("last", "previous", "best"):
        torch.save({"weight": torch.arange(1000), "name": name}, folder / f"{name}.ckpt")
    return folder


def changed(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: changed(c, len(c) // 2),  # a weight
        lambda c: changed(c, 3),
        lambda c: changed(c, len(c) - 20),
        lambda c: c[: len(c) // 2],
        lambda c: c[:-1],
        lambda c: bytes(len(c)),
        lambda c: b"",
        lambda c: b"name: tiny\n",
    ],
    ids=["weight", "head", "tail", "half", "end", "zeros", "empty", "text"],
)
def test_damage_is_found_and_the_whole_ones_are_named(run, damage):
    last, previous = run / "last.ckpt", run / "previous.ckpt"
    assert load_checkpoint(last)["name"] == "last" and previous_if_damaged(last) == last
    last.write_bytes(damage(last.read_bytes()))
    for load in (load_checkpoint, AtomicCheckpointIO().load_checkpoint):
        with pytest.raises(ValueError, match=r"last.ckpt: not a checkpoint.*or a damaged one") as found:
            load(last)
        assert str(found.value).endswith(f"; not damaged: {previous}, {run / 'best.ckpt'}")
    assert previous_if_damaged(last) == previous
    previous.unlink()
    with pytest.raises(FileNotFoundError, match=r"--fallback: .*last.ckpt is damaged, and there is no"):
        previous_if_damaged(last)


def test_nothing_in_a_checkpoint_is_executed(run):
    with pytest.raises(ValueError, match="weights_only=True"):
        AtomicCheckpointIO().load_checkpoint(run / "last.ckpt", weights_only=False)
    torch.save({"x": print}, run / "best.ckpt")
    with pytest.raises(ValueError, match="UnpicklingError"):
        load_checkpoint(run / "best.ckpt")
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        load_checkpoint(run / "other.ckpt")


def test_a_folder_with_more_than_one_epoch_is_not_started_again(tmp_path):
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("config.yaml", "checkpoints/best.ckpt", "checkpoints/.last.ckpt.7.tmp"):
        (folder / name).touch()
    (folder / "metrics.csv").write_text("epoch\n1\n")
    assert new_run(str(folder), "x") == folder
    (folder / "metrics.csv").write_text("epoch\n1\n2\n")
    with pytest.raises(ValueError, match="not an empty folder"):
        new_run(str(folder), "x")
    (folder / "metrics.csv").unlink()
    (folder / "checkpoints" / "interrupted.ckpt").touch()
    with pytest.raises(ValueError, match="not an empty folder"):
        new_run(str(folder), "x")
