"""A whole scene is answered point by point: tiles that overlap, votes, in memory and through the disk."""

import re
from functools import partial

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.export.scenes import answer, merging
from ccnn_geo.export.scenes.answer import answer_scene, label_scene, scene_logits
from ccnn_geo.export.scenes.kept import keep_points
from ccnn_geo.export.scenes.other_scale import other_scale
from ccnn_geo.export.scenes.tiling import Tiling
from ccnn_geo.io.scans.chunks import Part, read_chunks
from ccnn_geo.io.scans.frames import Frame, read_frame
from ccnn_geo.transforms.pipelines.scans import ScanPipeline

NUM = 1500


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    sizes = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 8}
    network = CCNN(2, 3, 3, readout="node", **sizes)
    network(torch.randn(200, 2), torch.rand(200, 3) * 2 - 1)
    return network.eval()


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    xyz = rng.uniform(0, 1, (NUM, 3)) * [90, 50, 5] + [483_000, 5_200_000, 20]
    return Frame(xyz, {"intensity": rng.uniform(0, 1, NUM), "other": rng.uniform(0, 1, NUM)}, None)


def pipeline(**changes):
    known = {"features": ("z", "intensity"), "moments": {"intensity": (0.5, 0.3)}, "unit": 20.0, "tile": 40.0}
    return ScanPipeline(**{**known, **changes})


def test_without_tiles_or_thinning_it_is_the_network(network, frame):
    for tile in (None, 200.0):
        plan = pipeline(tile=tile)
        data = plan(frame)
        with torch.no_grad():
            expected = network(data.x, data.pos).numpy()
        order = scene_logits(network, plan, frame)
        # other order of points, which breaks ties among neighbours and rounds otherwise
        assert np.allclose(order, expected, atol=1e-4)


def test_measurements_of_another_scale_are_told(network, frame):
    """Intensities of 16 bits where the training had those on [0, 1]; few points of a large scene are enough."""
    many = np.tile(np.arange(NUM), 60)
    scan = Frame(frame.xyz[many], {"intensity": frame.fields["intensity"][many] * 65535}, None)
    kept = keep_points(lambda: [Part(scan, many, len(many))], ("intensity",), 40.0, 0.25, None)
    told = "intensity is about 3.[23].*e\\+04, in training 0.5 ± 0.3; predictions mean little"
    assert re.search(told, other_scale(kept, {"intensity": (0.5, 0.3)}))
    assert other_scale(kept, {"intensity": (32000.0, 20000.0)}) is None
    assert other_scale(kept, {}) is None, "nothing was standardised"
    with pytest.warns(UserWarning, match=told):
        scene_logits(
            network, pipeline(), Frame(frame.xyz, {"intensity": frame.fields["intensity"] * 65535}, None)
        )


def test_at_the_points_that_are_kept_it_is_the_network(network, frame):
    plan = pipeline(tile=None, voxel=4.0)
    data, keep = plan(frame), plan.thinned(frame.xyz)
    assert len(keep) < NUM * 0.8
    with torch.no_grad():
        expected = network(data.x, data.pos).numpy()
    assert np.allclose(scene_logits(network, plan, frame)[keep], expected, atol=1e-4)


def test_tiles_are_averaged_by_their_weights(network, frame):
    plan = pipeline(voxel=3.0)
    found = scene_logits(network, plan, frame, overlap=0.25)
    low, high = frame.xyz[:, :2].min(0), frame.xyz[:, :2].max(0)
    # by hand: along x three tiles, the last one ending with the scene, along y two
    starts = [np.linspace(low[d], high[d] - 40, n) for d, n in ((0, 3), (1, 2))]
    sums, weights = np.zeros((NUM, 3)), np.zeros(NUM)
    for x in starts[0]:
        for y in starts[1]:
            at = frame.xyz[:, :2] - [x, y]
            inside = np.flatnonzero(((at >= -1e-6) & (at <= 40 + 1e-6)).all(1))
            part = Frame(frame.xyz[inside], {n: v[inside] for n, v in frame.fields.items()}, None)
            data = plan.sample(part, plan.thinned(part.xyz))
            pos = torch.tensor((part.xyz - data.origin.numpy()) / 20, dtype=torch.float32)
            logits = everywhere(network, data.x, data.pos, pos)
            weight = np.ones(len(inside))
            for axis, start in ((0, starts[0]), (1, starts[1])):
                edge = np.minimum(at[inside, axis], 40 - at[inside, axis])
                weight *= np.clip(edge / (40 - (start[1] - start[0])), 1e-3, 1)
            sums[inside] += logits * weight[:, None]
            weights[inside] += weight
    assert np.allclose(found, sums / weights[:, None], atol=1e-4)


def everywhere(network, x, pos, at):
    """The network at other positions, layer by layer as its formula says."""
    gelu = torch.nn.functional.gelu

    def conv(layer, h):
        near = torch.cdist(at.double(), pos.double()).topk(8, largest=False).indices
        edges = torch.stack([near.flatten(), torch.arange(len(at)).repeat_interleave(8)])
        return layer((h, None), (pos, at), edges)

    with torch.no_grad():
        carrier = network.plan(pos)
        stem, block = network.stem, network.blocks[0]
        h = gelu(network.stem_norm(stem(x, pos, carrier)))
        h_at = gelu(network.stem_norm(conv(stem, x)))
        h_at = h_at + gelu(block.linear(gelu(conv(block.conv, block.norm(h)))))
        return network.head.linear(network.norm(h_at)).numpy()


def test_a_tile_without_weight_for_a_point_is_no_matter(network, frame):
    for overlap in (0.0, 0.5):
        assert np.isfinite(scene_logits(network, pipeline(voxel=4.0), frame, overlap=overlap)).all()
    with pytest.raises(ValueError, match=r"expected an overlap from 0 to 0\.5 of a tile, got 0\.6"):
        scene_logits(network, pipeline(), frame, overlap=0.6)


def test_votes_are_averaged(network, frame):
    plan = pipeline(tile=None, voxel=4.0)
    turned = frame.xyz - (frame.xyz.min(0) + frame.xyz.max(0)) / 2
    turned = Frame(turned * [-1, -1, 1], frame.fields, None)  # half a turn
    keep = plan.thinned(frame.xyz)
    logits = [scene_logits(network, plan, frame)]
    data = plan.sample(turned, keep)
    pos = torch.tensor((turned.xyz - data.origin.numpy()) / 20, dtype=torch.float32)
    logits.append(everywhere(network, data.x, data.pos, pos))
    found = scene_logits(network, plan, frame, rotations=2)
    assert np.allclose(found, np.mean(logits, axis=0), atol=1e-4)
    assert np.abs(logits[0] - logits[1]).max() > 0.1
    several = [scene_logits(network, plan, frame, subsets=n) for n in (1, 2, 2)]
    assert np.array_equal(several[1], several[2]) and np.abs(several[0] - several[1]).max() > 1e-2
    with pytest.raises(ValueError, match="rotations and subsets of 1 or more, got 0 and 1"):
        scene_logits(network, plan, frame, rotations=0)


def write_bin(path, frame):
    rows = np.column_stack([frame.xyz - [483_000, 5_200_000, 0], frame.fields["intensity"]])
    rows.astype("<f4").tofile(path)


def test_a_file_is_answered_as_what_it_holds(network, frame, tmp_path, monkeypatch):
    monkeypatch.setattr(merging, "ROWS", 100)
    monkeypatch.setattr(answer, "read_chunks", partial(read_chunks, at_once=400))
    write_bin(tmp_path / "a.bin", frame)
    plan = pipeline(voxel=3.0, classes=(2, 6, 9))
    found = answer_scene(network, plan, tmp_path / "a.bin")
    logits = torch.from_numpy(scene_logits(network, plan, plan.read(tmp_path / "a.bin")))
    best, index = logits.softmax(dim=1).max(dim=1)
    assert np.array_equal(found.index, index) and np.allclose(found.probability, best, atol=1e-6)
    assert np.array_equal(found.label, np.array([2, 6, 9])[index])
    assert len(set(index.tolist())) > 1 and [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_points_without_a_position_get_no_class(network, frame, tmp_path):
    write_bin(tmp_path / "a.bin", frame)
    rows = np.fromfile(tmp_path / "a.bin", "<f4").reshape(-1, 4)
    rows[[3, NUM - 1], 0] = np.nan
    rows.tofile(tmp_path / "a.bin")
    with pytest.warns(UserWarning, match="2 of 1500 points have NaN"):
        found = answer_scene(network, pipeline(voxel=3.0), tmp_path / "a.bin")
    missing = np.isin(np.arange(NUM), [3, NUM - 1])
    assert np.array_equal(found.label == -1, missing) and np.array_equal(found.probability == 0, missing)


def test_an_answer_is_written_or_absent(network, frame, tmp_path, monkeypatch):
    write_bin(tmp_path / "a.bin", frame)
    out = tmp_path / "made/a.ply"
    label_scene(network, pipeline(voxel=3.0), tmp_path / "a.bin", out)
    again = read_frame(out)
    assert np.allclose(again.xyz, read_frame(tmp_path / "a.bin").xyz)
    assert set(again.fields) == {"intensity", "predicted", "probability"}
    out.unlink()
    calls, real = [], merging.tile_logits

    def ends(*given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(merging, "tile_logits", ends)
    with pytest.raises(KeyboardInterrupt):
        label_scene(network, pipeline(voxel=3.0), tmp_path / "a.bin", out)
    assert list(out.parent.iterdir()) == []


def test_what_cannot_be_is_said_before_work(network, frame, tmp_path):
    write_bin(tmp_path / "a.bin", frame)
    given = network, pipeline(features=("z", "ring")), tmp_path / "a.bin"
    with pytest.raises(
        ValueError, match=r"a\.bin: no ring, which the network was trained on; the file has inten"
    ):
        label_scene(*given, tmp_path / "b.ply")
    with pytest.raises(
        ValueError, match=r"b\.las: expected \.ply or \.npy for the prediction of a\.bin, got '\.las'"
    ):
        label_scene(*given, tmp_path / "b.las")
    with pytest.raises(ValueError, match=r"expected 2 features for this network, got \['z'\]"):
        scene_logits(network, pipeline(features=["z"]), frame)
    of_samples = CCNN(2, 3, 3, hidden_channels=4, num_blocks=1, kernel_hidden=4)
    with pytest.raises(
        ValueError, match="expected a network with an output per point in 3 D, readout 'node'"
    ):
        scene_logits(of_samples, pipeline(), frame)


@pytest.mark.parametrize("cut", [1, 16 * 700])
def test_a_file_that_ends_too_early_leaves_no_answer(network, frame, tmp_path, cut):
    write_bin(tmp_path / "a.bin", frame)
    plan = pipeline(voxel=3.0)
    label_scene(network, plan, tmp_path / "a.bin", tmp_path / "a.ply")
    content = (tmp_path / "a.ply").read_bytes()
    (tmp_path / "b.ply").write_bytes(content[:-cut])
    with pytest.raises(ValueError, match=r"b\.ply: truncated"):
        label_scene(network, plan, tmp_path / "b.ply", tmp_path / "out/b.ply")
    assert not list((tmp_path / "out").iterdir())
    label_scene(network, plan, tmp_path / "a.ply", tmp_path / "out/c.ply")  # an answer may be answered
    first, second = read_frame(tmp_path / "a.ply"), read_frame(tmp_path / "out/c.ply")
    assert np.array_equal(first.fields["predicted"], second.fields["predicted_2"])
    assert np.allclose(first.fields["probability"], second.fields["probability_2"], atol=1e-5)


def test_far_away_points_make_few_tiles(network, frame):
    xyz = frame.xyz.copy()
    xyz[0, :2] = 1e9
    tiling = Tiling(xyz[:, :2].min(0), xyz[:, :2].max(0), 40.0, 0.25)
    assert np.prod([float(n) for n in tiling.counts]) > 1e12
    far = Frame(xyz, frame.fields, None)
    assert (
        len(keep_points(lambda: [Part(far, np.arange(NUM), NUM)], ["intensity"], 40.0, 0.25, None).tiles())
        < 40
    )
    assert np.isfinite(scene_logits(network, pipeline(voxel=4.0), far)).all()
