"""Shapes in which another axis points up than in the training: answered as the turned ones, in their own frame."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ccnn_geo import load
from ccnn_geo.io import read_shape
from ccnn_geo.io.shapes.part_labels import read_labelled_shape
from ccnn_geo.transforms import ShapePipeline

LYING = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""From y up to z up."""


def write_table(path, turn=None):
    """A plate on four posts, as polygons, with y up."""
    boxes = [((-1.0, 0.8, -0.6), (1.0, 0.9, 0.6))]
    boxes += [((x, 0.0, z), (x + 0.1, 0.8, z + 0.1)) for x in (-0.9, 0.8) for z in (-0.5, 0.4)]
    sides = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    corners = np.array(
        [
            [(low, high)[k][i] for i, k in enumerate(bits)]
            for low, high in boxes
            for bits in np.ndindex(2, 2, 2)
        ]
    )
    corners = corners if turn is None else corners @ turn.T
    faces = [[8 * box + i for i in side] for box in range(len(boxes)) for side in sides]
    rows = [" ".join(map(repr, row)) for row in corners.tolist()]
    rows += [" ".join(map(str, (4, *face))) for face in faces]
    path.write_text("\n".join(["OFF", f"{len(corners)} {len(faces)} 0", *rows, ""]))


@pytest.fixture
def tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "standing.off")
    write_table(tmp_path / "lying.off", LYING)


def test_parts_of_a_turned_mesh(tables, run_cli):
    model = load("parts")
    expected, plain, found = model("standing.off"), model("lying.off"), model.upright("z")("lying.off")
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.probability, expected.probability)
    assert not np.array_equal(plain.probability, expected.probability)
    code, _, errors = run_cli("predict", "parts", "lying.off", "--up", "z", "--out", "answers")
    assert (code, errors) == (0, "")
    shape, labels = read_labelled_shape(Path("answers/lying.ply"))
    np.testing.assert_array_equal(shape.vertices, read_shape("lying.off").vertices)
    assert [int(labels.names[i]) for i in labels.index] == expected.labels[
        read_shape("lying.off").polygon
    ].tolist()
    code, _, errors = run_cli("predict", "parts", "lying.off", "--out", "answers")
    assert code == 1 and "predictions.json of another model, number of votes or axis" in errors


@pytest.mark.parametrize(("name", "up"), [("shapes10", "z"), ("modelnet10", "y"), ("airborne5", "y")])
def test_every_network_of_shapes(tables, name, up, run_cli):
    """Networks that learned with y up are asked with z up, and the other way round."""
    given, upright = ("lying.off", "standing.off") if up == "z" else ("standing.off", "lying.off")
    model = load(name)
    answer = model.upright(up)(given)
    assert answer == model(upright)
    code, output, _ = run_cli("predict", name, given, "--up", up, "--json")
    (row,) = json.loads(output)
    assert code == 0 and row["probabilities"] == answer.probabilities


def test_clouds_with_normals(tables):
    cloud = torch.randn(300, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).numpy()
    cloud[:, 3:] /= np.linalg.norm(cloud[:, 3:], axis=1, keepdims=True)
    lying = np.concatenate([cloud[:, :3] @ LYING.T, cloud[:, 3:] @ LYING.T], axis=1)
    model = load("shapes10")
    assert model.upright("z")(lying) == model(cloud) != model(lying)


def test_what_cannot_be_turned(tables, run_cli):
    assert ShapePipeline().up is None
    with pytest.raises(ValueError, match=r"data\.up: expected x, y or z, or null, got 'w'"):
        ShapePipeline(up="w")
    with pytest.raises(ValueError, match="up is for shapes, this network takes images"):
        load("digits").upright("z")
    for axes in (("q",), ("y", "q")):
        with pytest.raises(ValueError, match=r"^up: expected x, y or z, got 'q'$"):
            load("shapes10").upright(*axes)
    code, _, errors = run_cli("predict", "parts", "lying.off", "--up", "w")
    assert (
        code == 2
        and "--up: expected x, y or z, or two axes such as z:y, the second that of the training, got 'w'"
        in errors
    )


def test_another_axis_than_the_stored_one_is_refused(tables, run_cli):
    code, _, errors = run_cli("predict", "modelnet10", "lying.off", "--up", "z:y")
    assert code == 1 and "up z:y: this network was trained with z up, expected z:z" in errors
    turns = [load("modelnet10").upright("y", *known).turn for known in ((), ("z",))]
    assert repr(turns[0]) == repr(turns[1])


def test_a_network_that_does_not_say_it(tables):
    model = load("shapes10")
    unsaid = replace(model, pipeline=replace(model.pipeline, up=None))
    with pytest.raises(
        ValueError, match="does not store which axis points up in the training, expected both, such as z:y"
    ):
        unsaid.upright("z")
    assert unsaid.upright("z", "y")("lying.off") == model.upright("z")("lying.off")
