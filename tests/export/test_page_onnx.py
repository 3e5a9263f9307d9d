"""The code on answers without this package does what its page says, with small networks in the place of those named."""

import ast
import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo._base.pyg import Data
from ccnn_geo.export import export_onnx, save_classifier
from ccnn_geo.neighbors.farthest import farthest_points
from ccnn_geo.transforms import NormalizeBox
from ccnn_geo.transforms.pipelines.images import ImagePipeline
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline
from tests.export.programs import SHORT, SIZES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "answers.md"
(CODE,) = re.findall(r"```python\n(import json.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
SHAPES = ShapePipeline(num_points=64, num_samples=256, features=("constant", "pos"), frame="box")
IMAGES = ImagePipeline(mean=(0.1307,), std=(0.3081,), size=(28, 28))


def exported(folder, first, pipeline):
    """A network that has seen a batch, and its folder with an ONNX model."""
    channels, dim = first[0].size(1), 3 if len(first) > 1 else 2
    model = CCNN(channels, 3, dim, num_neighbors=8, kernel="mlp", **{**SIZES, **SHORT})
    model(*first)
    written = export_onnx(model)
    given = {"program": {"file": "model.onnx"}, "pipeline": pipeline.settings()}
    save_classifier(
        folder, model, ["one", "two", "three"], {}, files={"model.onnx": lambda f: f.write(written)}, **given
    )
    return model.eval()


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What the names of the page's code stand for once it has run, how the cloud is answered, and the two networks."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="needs the onnx extra")
    folder, names = tmp_path_factory.mktemp("answers"), {}
    torch.manual_seed(0)
    points = (torch.randn(60, 4), torch.rand(60, 3), torch.arange(60) // 20)
    shapes = exported(folder / "furniture", points, SHAPES)
    images = exported(folder / "reader", (torch.randn(2, 1, 28, 28),), IMAGES)
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as said:
        patch.chdir(folder)
        exec(compile(CODE, str(PAGE), "exec"), names)
        return names, names["load"]("furniture")[1], shapes, images, said.getvalue()


def test_the_code_needs_little_and_prints_what_it_says(ran):
    nodes = [node for node in ast.walk(ast.parse(CODE)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert {name.name for node in nodes for name in node.names} == {"json", "numpy", "onnxruntime"}
    assert ran[-1].split() == re.findall(r"print\(.*?# (\w+)", CODE) == ["True", "True"]


def test_the_cloud_is_prepared_and_answered_as_by_the_package(ran):
    names, run, network, _, _ = ran
    points = np.random.default_rng(1).uniform(3, 5, (500, 3)) * [1, 2, 3]
    sample = names["cloud"](points, 64)
    boxed = NormalizeBox()(Data(pos=torch.from_numpy(points))).pos
    np.testing.assert_allclose(sample["pos"], boxed[farthest_points(boxed, 64)], atol=1e-6)
    data = Data(x=torch.from_numpy(sample["x"]).float(), pos=torch.from_numpy(sample["pos"]).float())
    with torch.no_grad():
        expected = network(data)[0]
    np.testing.assert_allclose(run(**sample), expected, atol=1e-4)
    label, probability = names["class_of"](run(**sample), {"classes": ["one", "two", "three"]})
    assert label == ["one", "two", "three"][expected.argmax()]
    assert probability == pytest.approx(float(expected.softmax(0).max()), abs=1e-4)


def test_the_image_is_prepared_and_answered_as_by_the_package(ran):
    names, _, _, network, _ = ran
    sample = IMAGES(IMAGES.read(names["image"].astype(np.uint8)))
    np.testing.assert_allclose(names["scaled"][None], sample, atol=1e-6)
    with torch.no_grad():
        expected = network(sample[None])[0]
    np.testing.assert_allclose(names["run"](x=names["scaled"][None]), expected, atol=1e-4)
